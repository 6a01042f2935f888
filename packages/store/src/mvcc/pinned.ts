import type { OrderedStorage, StorageView } from '../storage.ts';
import { LayerStack } from './layer-stack.ts';
import { Layers } from './layers.ts';
import type { ReadPoint } from './range.ts';
import type { MultiVersionState } from './state.ts';

/** The state, or a shard's part of it, as it was, to be read while the live one goes on. Taking it is O(1); release it. */
export class Pinned implements ReadPoint {
  readonly layers: Layers;
  readonly revision: number;
  readonly compactRevision: number;
  readonly #view: StorageView;
  readonly #released: () => void;

  /** `released`: called once. */
  constructor(state: MultiVersionState, storage: OrderedStorage, released: () => void = () => undefined) {
    this.#released = released;
    state.settle();
    this.#view = storage.view();
    // Frozen buffers are written no more, so they can be shared as they are.
    const { active, frozen, scope } = state.layers;
    this.layers = new Layers(new LayerStack(active.clone(), frozen, this.#view), scope.clone());
    this.revision = state.revision;
    this.compactRevision = state.compactRevision;
  }

  /** Once. */
  release(): void {
    this.#view.release();
    this.#released();
  }
}
