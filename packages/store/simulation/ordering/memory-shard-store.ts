import { etcdErrors } from '@flotilla/wire';
import { compareBytes } from '../../src/bytes.ts';
import { decodePlain, encodePlain } from '../../src/encoding/plain.ts';
import { keptRecords } from '../../src/hash/kept-records.ts';
import type { KeptRecord } from '../../src/hash/kept-records.ts';
import { LeaseRecords } from '../../src/leases/lease-records.ts';
import { LayerStack } from '../../src/mvcc/layer-stack.ts';
import { Layers } from '../../src/mvcc/layers.ts';
import { emptySummary, MultiVersionState, type StateSummary } from '../../src/mvcc/state.ts';
import { WriteBuffer } from '../../src/mvcc/write-buffer.ts';
import type { RequestUser } from '../../src/proposal.ts';
import type { PinnedKeys, ShardAccess, ShardStore } from '../../src/shard/shard-store.ts';
import { holdsKey, type KeySpan } from '../../src/shard/key-span.ts';
import type { Cursor, StorageReader } from '../../src/storage.ts';
import { SystemTable } from '../../src/system/system-table.ts';

const nothing: Cursor<Uint8Array> = {
  key: null,
  value: new Uint8Array(0),
  advance: () => undefined,
  close: () => undefined,
};
const emptyStorage: StorageReader = { get: () => null, scan: () => nothing };

/**
 * The database's own multi-version state, over nothing: all of it is in the write buffer, whose trees share what two of
 * them have in common. So a snapshot costs nothing to take, and a child begins with the very keys of its parent.
 */
export class MemoryShardStore implements ShardStore {
  keys: MultiVersionState;
  attachments: LeaseRecords;

  constructor(buffer = new WriteBuffer(), summary: StateSummary = emptySummary) {
    this.keys = new MultiVersionState(new Layers(new LayerStack(buffer, [], emptyStorage)), summary);
    this.attachments = new LeaseRecords(new SystemTable(this.keys, true));
  }

  fork(): MemoryShardStore {
    this.keys.settle();
    return new MemoryShardStore(this.keys.layers.active.clone(), this.keys.summary);
  }

  pin(): PinnedKeys {
    const { layers, revision, compactRevision } = this.fork().keys;
    return { layers, revision, compactRevision, release: () => undefined };
  }

  narrow(span: KeySpan): void {
    this.#rebuild(recordsIn(this, span));
  }

  absorb(drained: ShardStore, span: KeySpan): void {
    const records = [...recordsIn(this, null), ...recordsIn(drained, span)];
    records.sort((a, b) => a.revision - b.revision || a.sub - b.sub || compareBytes(a.kv.key, b.kv.key));
    this.#rebuild(records, drained.keys);
  }

  #rebuild(records: readonly KeptRecord[], other = this.keys): void {
    const revision = Math.max(this.keys.revision, other.revision);
    const compactRevision = Math.max(this.keys.compactRevision, other.compactRevision);
    const compactedThrough = Math.max(compactRevision, 0);
    const summary = { revision: 0, compactRevision, compactedThrough, liveBytes: 0 };
    const built = new MemoryShardStore(new WriteBuffer(), summary);
    const { attachments } = built;
    built.keys.leases = {
      require: () => undefined,
      moved: (key, from, to) => {
        if (from !== 0n) attachments.detach(from, key);
        if (to !== 0n) attachments.attach(to, key);
      },
    };
    let last = { revision: 0, sub: 0 };
    for (const { revision: at, sub: place, kv, deleted } of records) {
      const sub = at === last.revision ? last.sub + 1 : 0;
      last = { revision: at, sub };
      built.keys.place = place;
      built.keys.restore({ revision: at, sub, deleted, kv });
    }
    built.keys.place = null;
    built.keys.settle();
    built.keys.skipTo(Math.max(revision, 1));
    this.keys = built.keys;
    this.attachments = attachments;
  }
}

function recordsIn({ keys }: ShardStore, span: KeySpan | null): KeptRecord[] {
  const records: KeptRecord[] = [];
  keys.settle();
  for (const record of keptRecords(keys)) {
    if (record !== null && (span === null || holdsKey(span, record.kv.key))) records.push(record);
  }
  return records;
}

/** Who may not write anything at the moment. The rules of users and roles are judged elsewhere. */
export class SimulatedAccess implements ShardAccess {
  readonly #denied: Set<string>;

  constructor(denied: Iterable<string> = []) {
    this.#denied = new Set(denied);
  }

  static decode(encoded: Uint8Array): SimulatedAccess {
    return new SimulatedAccess(encoded.length === 0 ? [] : decodePlain<string[]>(encoded));
  }

  check(user: RequestUser | null): void {
    if (user !== null && this.#denied.has(user.name)) throw etcdErrors.permissionDenied;
  }

  isCurrent(): boolean {
    return true;
  }

  administer(): void {}

  readonly mayExpire = true;

  apply(change: Uint8Array): void {
    const { name, denied } = decodePlain<AccessChange>(change);
    if (denied) this.#denied.add(name);
    else this.#denied.delete(name);
  }

  encode(): Uint8Array {
    return encodePlain([...this.#denied].sort());
  }

  fork(): SimulatedAccess {
    return new SimulatedAccess(this.#denied);
  }
}

export interface AccessChange {
  readonly name: string;
  readonly denied: boolean;
}
