import { FlotillaError, isFlotillaError } from '@flotilla/platform';
import { KeyValue, Role, User } from '@flotilla/wire';
import { AuthRecords } from '../auth/auth-records.ts';
import { bytesToText } from '../encoding/text.ts';
import { tombstoneMark, underscore } from '../hash/hash-kv.ts';
import { Leases } from '../leases/leases.ts';
import { limits } from '../limits.ts';
import { LayerStack } from '../mvcc/layer-stack.ts';
import { Layers } from '../mvcc/layers.ts';
import {
  encodeState,
  installedKey,
  installingKey,
  type LogPosition,
  type StoredState,
  stateKey,
} from '../mvcc/meta.ts';
import { emptySummary, type LeaseBook, MultiVersionState } from '../mvcc/state.ts';
import { WriteBuffer } from '../mvcc/write-buffer.ts';
import { markedEmpty } from '../snapshot-install.ts';
import type { OrderedStorage, TableWrites } from '../storage.ts';
import { SystemTable } from '../system/system-table.ts';
import type { BoltReader } from './bolt-reader.ts';
import { decodeLeaseRecord } from './lease-record.ts';

export interface EtcdRestoreOptions {
  /** Where the log of the new cluster begins: equal on all members. */
  readonly applied: LogPosition;
  /** The revision is raised by so much, so that no client that knows the cluster as it went on sees revisions again. */
  readonly bumpRevision: number;
  /** All that was before counts as compacted: whoever watches from an old revision learns that it must read again. */
  readonly markCompacted: boolean;
}

/** What a file of etcd's holds. */
export interface EtcdFileSummary {
  readonly revision: number;
  readonly compactRevision: number;
  /** Records of the history, deletions among them. */
  readonly records: number;
}

/**
 * Makes the state of a file of etcd's the state of a storage: keys with their history and revisions, leases, users and
 * roles. Members, alarms and where the old cluster's log stood are left behind, as in etcd's own restore.
 *
 * A storage in which this was cut off says so by the mark of an install that has not ended. Rejects with
 * `FLOTILLA_SNAPSHOT_DAMAGED`.
 */
export async function restoreEtcdFile(
  storage: OrderedStorage,
  file: BoltReader,
  options: EtcdRestoreOptions,
): Promise<EtcdFileSummary> {
  const { applied } = options;
  const known = { at: 0, members: new Map<number, Uint8Array>() };
  await storage.commit(markedEmpty(storage, { position: applied, known })).committed;
  const restore = new EtcdRestore(storage, await compactedRevision(file));
  await restore.leases(file, applied);
  await restore.auth(file);
  const records = await restore.keys(file);
  const summary = await restore.finish(options);
  return { ...summary, records };
}

/** Compaction that was under way is over here: what it would still have removed is not taken. −1: there was none. */
async function compactedRevision(file: BoltReader): Promise<number> {
  let revision = -1;
  for await (const { key, value } of file.entries('meta')) {
    const name = bytesToText(key);
    if (name !== 'finishedCompactRev' && name !== 'scheduledCompactRev') continue;
    revision = Math.max(revision, parseRecordKey(value).revision);
  }
  return revision;
}

class EtcdRestore {
  readonly #storage: OrderedStorage;
  readonly #keys: MultiVersionState;
  readonly #system: SystemTable;
  readonly #leases: Leases;

  constructor(storage: OrderedStorage, compactRevision: number) {
    this.#storage = storage;
    const layers = new Layers(new LayerStack(new WriteBuffer(), [], storage));
    const compactedThrough = Math.max(compactRevision, 0);
    this.#keys = new MultiVersionState(layers, { ...emptySummary, compactRevision, compactedThrough });
    this.#system = new SystemTable(this.#keys, false);
    this.#leases = new Leases(this.#system, this.#keys);
    this.#keys.leases = this.#knownLeases();
  }

  /**
   * A version may name a lease that the file does not have. As in etcd it keeps the name and goes with no lease: attached
   * to it, it would go with whichever lease is granted under that id next.
   */
  #knownLeases(): LeaseBook {
    const leases = this.#leases;
    const known = (id: bigint): bigint => (id !== 0n && leases.records.has(id) ? id : 0n);
    return {
      require: (id) => leases.require(id),
      moved: (key, from, to) => leases.moved(key, known(from), known(to)),
    };
  }

  async leases(file: BoltReader, { index }: LogPosition): Promise<void> {
    for await (const { value } of file.entries('lease')) {
      const lease = decodeLeaseRecord(value);
      if (lease === null || lease.id === 0n || !isTtl(lease.ttl) || !isTtl(lease.remainingTtl)) {
        throw damaged('a lease cannot be read');
      }
      const { id, ttl, remainingTtl } = lease;
      const remaining = remainingTtl === 0 ? ttl : Math.min(remainingTtl, ttl);
      this.#leases.records.put({ id, ttl, generation: index, remaining });
      await this.#commitMuch();
    }
  }

  async auth(file: BoltReader): Promise<void> {
    const auth = new AuthRecords(this.#system);
    for await (const { key, value } of file.entries('authUsers')) {
      const user = decoded('a user', () => User.decode(value));
      auth.putUser(bytesToText(key), user);
    }
    for await (const { key, value } of file.entries('authRoles')) {
      const role = decoded('a role', () => Role.decode(value));
      auth.putRole(bytesToText(key), role);
    }
    const summary = { enabled: false, revision: 1 };
    for await (const { key, value } of file.entries('auth')) {
      const name = bytesToText(key);
      if (name === 'authEnabled') summary.enabled = value[0] === 1;
      else if (name === 'authRevision') summary.revision = parseUint64(value, 0);
    }
    // A state that uses no users stays one that older programs read.
    if (summary.enabled || summary.revision > 1) auth.setSummary(summary);
  }

  async keys(file: BoltReader): Promise<number> {
    let records = 0;
    let last = { revision: 0, sub: 0 };
    for await (const { key, value } of file.entries('key')) {
      const { revision, sub, deleted } = parseRecordKey(key);
      if (revision < 1 || (revision === last.revision && sub <= last.sub))
        throw damaged('two records have one place');
      last = { revision, sub };
      const kv = decoded('a key', () => KeyValue.decode(value));
      // A restore of etcd's that has raised the revision has left an empty record there.
      if (!deleted && kv.key.length > 0 && kv.modRevision !== revision) {
        throw damaged(`a version of revision ${revision} says that it is of ${kv.modRevision}`);
      }
      this.#keys.restore({ revision, sub, deleted, kv });
      records += 1;
      await this.#commitMuch();
    }
    return records;
  }

  async finish(options: EtcdRestoreOptions): Promise<Omit<EtcdFileSummary, 'records'>> {
    const { applied, bumpRevision, markCompacted } = options;
    this.#keys.revision = Math.max(this.#keys.revision, this.#keys.compactRevision) + bumpRevision;
    if (markCompacted) this.#keys.compactRevision = this.#keys.revision;
    const stored: StoredState = {
      applied,
      summary: this.#keys.summary,
      members: new Map(),
      usesSystem: this.#system.used,
      isSharded: false,
    };
    const { revision, compactRevision } = stored.summary;
    await this.#commit({
      keys: [installingKey, installedKey, stateKey],
      values: [null, null, encodeState(stored)],
    });
    return { revision, compactRevision };
  }

  async #commitMuch(): Promise<void> {
    const { active } = this.#keys.layers;
    if (active.operations >= limits.freezeOperations || active.bytes >= limits.installBatchBytes) {
      await this.#commit({ keys: [], values: [] });
    }
  }

  async #commit(meta: TableWrites): Promise<void> {
    this.#keys.settle();
    const { layers } = this.#keys;
    const { committed, flushed } = this.#storage.commit(layers.active.encode(meta));
    await committed;
    layers.stack.active = new WriteBuffer();
    if (meta.keys.length > 0) await flushed;
  }
}

/** etcd's key of a record, see `revisionKey`. */
export function parseRecordKey(key: Uint8Array): {
  readonly revision: number;
  readonly sub: number;
  readonly deleted: boolean;
} {
  const deleted = key.length === 18 && key[17] === tombstoneMark;
  if ((key.length !== 17 && !deleted) || key[8] !== underscore) throw damaged('a record has no revision');
  return { revision: parseUint64(key, 0), sub: parseUint64(key, 9), deleted };
}

function parseUint64(bytes: Uint8Array, at: number): number {
  if (bytes.length < at + 8) throw damaged('a number is cut short');
  const value = Number(new DataView(bytes.buffer, bytes.byteOffset + at, 8).getBigUint64(0));
  if (!Number.isSafeInteger(value)) throw damaged('a number is too large');
  return value;
}

function isTtl(seconds: number): boolean {
  return Number.isSafeInteger(seconds) && seconds >= 0;
}

function decoded<Message>(what: string, decode: () => Message): Message {
  try {
    return decode();
  } catch (error) {
    if (!isFlotillaError(error, 'FLOTILLA_WIRE_MALFORMED')) throw error;
    throw damaged(`${what} cannot be read`);
  }
}

function damaged(what: string): FlotillaError {
  return new FlotillaError('FLOTILLA_SNAPSHOT_DAMAGED', `damaged snapshot: ${what}`);
}
