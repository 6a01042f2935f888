import type { CoreState } from './state.ts';
import type { Configuration, CoreView, Index, NodeId, ProgressView, Role, Term } from './types.ts';

/** The core as tests, invariants and metrics see it: always the present, nothing is copied. */
export class View implements CoreView {
  readonly #state: CoreState;

  constructor(state: CoreState) {
    this.#state = state;
  }

  get id(): NodeId {
    return this.#state.id;
  }

  get role(): Role {
    return this.#state.role;
  }

  get term(): Term {
    return this.#state.term;
  }

  get vote(): NodeId {
    return this.#state.vote;
  }

  get leader(): NodeId {
    return this.#state.leader;
  }

  get commit(): Index {
    return this.#state.log.commit;
  }

  get applied(): Index {
    return this.#state.log.applied;
  }

  get firstIndex(): Index {
    return this.#state.log.firstIndex;
  }

  get lastIndex(): Index {
    return this.#state.log.last;
  }

  get durable(): Index {
    return this.#state.log.durable;
  }

  get configuration(): Configuration {
    return this.#state.configuration;
  }

  get retired(): boolean {
    return this.#state.retired;
  }

  get progress(): ReadonlyMap<NodeId, ProgressView> {
    return this.#state.progress;
  }

  get pendingReads(): number {
    return this.#state.reads.pending;
  }

  get uncommittedBytes(): number {
    return this.#state.uncommittedBytes;
  }

  configurationAt(index: Index): Configuration | null {
    return this.#state.configurationAt(index);
  }

  termAt(index: Index): Term | null {
    return this.#state.log.termAt(index);
  }
}
