import type { StateSum } from '../hash/state-sum.ts';
import type { Layers } from '../mvcc/layers.ts';
import type { Cursor } from '../storage.ts';
import type { Namespace } from './namespaces.ts';

/**
 * Records that are replicated, stored and sent in snapshots beside the keys of clients, and have no history: each
 * module of the state owns a {@link Namespace} of them. Reads see every write at once.
 *
 * @example
 * table.set(Namespace.ALARM, key, record);
 * for (const cursor = table.scan(Namespace.ALARM); cursor.key !== null; cursor.advance()) use(cursor.value);
 */
export class SystemTable {
  readonly #state: LayeredState;
  #used: boolean;

  /** `used`: as the stored state says. */
  constructor(state: LayeredState, used: boolean) {
    this.#state = state;
    this.#used = used;
  }

  /** Whether it has ever held a record. From then on a program that does not know this table must not open the state. */
  get used(): boolean {
    return this.#used;
  }

  get(namespace: Namespace, key: Uint8Array): Uint8Array | null {
    return this.#state.layers.system(placeOf(namespace, key));
  }

  /** The bytes are the table's from then on. Null removes the record. */
  set(namespace: Namespace, key: Uint8Array, record: Uint8Array | null): void {
    const { layers, sum } = this.#state;
    const { active } = layers;
    const place = placeOf(namespace, key);
    this.#used = true;
    sum?.replacedRecord(place, layers.system(place), record);
    active.system.set(place, record);
    active.bytes += key.length + (record === null ? 0 : record.length) + recordOverheadBytes;
  }

  /**
   * The records whose keys begin with `prefix`, in the order of their keys. The cursor's keys are whole places: the
   * record's own key is {@link keyOf} of them. Close it unless it ran to its end.
   */
  scan(namespace: Namespace, prefix: Uint8Array = noPrefix): Cursor<Uint8Array> {
    const from = placeOf(namespace, prefix);
    return this.#state.layers.scanSystem({ from, to: endOf(from), reverse: false });
  }
}

/** The live state, or a view of it, which can only be read. */
export interface LayeredState {
  readonly layers: Layers;
  readonly sum?: StateSum | null;
}

/** The key of a record, from the key of a cursor. A view. */
export function keyOf(place: Uint8Array): Uint8Array {
  return place.subarray(1);
}

const noPrefix = new Uint8Array(0);
const recordOverheadBytes = 64;

function placeOf(namespace: Namespace, key: Uint8Array): Uint8Array {
  const place = new Uint8Array(1 + key.length);
  place[0] = namespace;
  place.set(key, 1);
  return place;
}

/** The first place that does not begin with `prefix`. A namespace is less than 255, so there is one. */
function endOf(prefix: Uint8Array): Uint8Array {
  let length = prefix.length;
  while (prefix[length - 1] === 0xff) length -= 1;
  const end = prefix.slice(0, length);
  end[length - 1] = (end[length - 1] as number) + 1;
  return end;
}
