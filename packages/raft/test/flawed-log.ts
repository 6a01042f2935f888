import { FlotillaError } from '@flotilla/platform';
import { emptyConfiguration } from '@flotilla/raft';
import type {
  Entry,
  GroupId,
  HardState,
  Index,
  LogRecord,
  LogStats,
  NodeId,
  OpenedLog,
  RecoveredGroup,
  SnapshotMeta,
  Term,
  WriteAheadLog,
} from '@flotilla/raft';
import type { LogIdentity, LogUnderTest } from '@flotilla/raft/conformance';

/** Each is a mistake that a log was really shipped with somewhere, or that is easily made. */
export const logFlaws = [
  { flaw: 'phantom', what: 'makes groups up', caught: 'a new log holds no group' },
  {
    flaw: 'kinds',
    what: 'forgets what kind of entry it was given',
    caught: 'entries of every kind and size come back as they were, across a restart',
  },
  {
    flaw: 'narrow',
    what: 'keeps terms in 32 bits',
    caught: 'the last term, vote and commit index come back',
  },
  {
    flaw: 'close-forgets',
    what: 'closes without the commit index that it had put off',
    caught: 'a commit index that need not be synced is there after a close',
  },
  {
    flaw: 'truncates-less',
    what: 'truncates one entry too few',
    caught: 'entries are replaced from where a write says so',
  },
  {
    flaw: 'compacts-back',
    what: 'moves its snapshot back when it is asked to',
    caught: 'a compaction lets go of what it names and of nothing else',
  },
  {
    flaw: 'empty-is-zero',
    what: 'takes an empty log for one that begins at 1',
    caught: 'everything may be compacted, and the log goes on after it',
  },
  {
    flaw: 'keeps-tail',
    what: 'keeps the entries beyond a snapshot, whatever their term',
    caught: 'a snapshot from a leader takes the place of the whole log',
  },
  {
    flaw: 'reads-all',
    what: 'reads as much as there is',
    caught: 'a read answers the entries from where it starts to where it ends, within its bytes',
  },
  {
    flaw: 'few-groups',
    what: 'has room for 64 groups',
    caught: 'groups do not touch each other, however many there are',
  },
  {
    flaw: 'one-life',
    what: 'reads only what its last life wrote',
    caught: 'contents survive many restarts with work between them',
  },
  {
    flaw: 'open-to-all',
    what: 'opens the log of anybody',
    caught: 'the log of another member or another cluster is refused',
  },
  {
    flaw: 'commit-overtakes',
    what: 'answers at once what need not be synced',
    caught: 'appends at the same time are answered in the order of the calls',
  },
  {
    flaw: 'compaction-overtakes',
    what: 'compacts before it appends',
    caught: 'appends and compactions at the same time take effect in the order of the calls',
  },
  {
    flaw: 'close-drops',
    what: 'drops its queue when it closes',
    caught: 'what is asked for before a close is done by it',
  },
  { flaw: 'undead', what: 'goes on after its close', caught: 'a closed log takes nothing more' },
  { flaw: 'lockless', what: 'lets two processes in', caught: 'a log has one owner at a time' },
  { flaw: 'countless', what: 'counts nothing', caught: 'statistics tell what was written' },
  { flaw: 'eager', what: 'answers before it syncs', caught: 'what was answered survives a crash' },
  {
    flaw: 'shuffles',
    what: 'writes its records in no order',
    caught: 'of what was not answered a crash keeps a prefix',
  },
  {
    flaw: 'shuffles',
    what: 'writes the records of one append in no order',
    caught: 'of one append that was not answered a crash keeps a prefix of its records',
  },
  {
    flaw: 'lazy-votes',
    what: 'syncs entries, and votes some time',
    caught: 'a vote is on the disk when its write is answered',
  },
  {
    flaw: 'lazy-compaction',
    what: 'compacts in memory',
    caught: 'a compaction that was answered survives a crash',
  },
  {
    flaw: 'fragile',
    what: 'loses the record before one that was not synced',
    caught: 'a commit index that need not be synced may be lost, and nothing else with it',
  },
  {
    flaw: 'tired',
    what: 'forgets to sync after it was recovered',
    caught: 'a log that came back from a crash goes on, and crashes again',
  },
  {
    flaw: 'retries',
    what: 'syncs again when a sync has failed',
    caught: 'after a sync has failed nothing is answered, and nothing is tried again',
  },
  { flaw: 'complains', what: 'tells of a failure at every call', caught: 'the failure is told once' },
  {
    flaw: 'holds-on',
    what: 'keeps its lock when it has failed',
    caught: 'a log that has failed releases its place, which holds what was answered',
  },
  {
    flaw: 'skips',
    what: 'skips what is damaged',
    caught: 'damage to the oldest bytes is noticed, or does not matter',
  },
  {
    flaw: 'cuts',
    what: 'takes damage for a torn tail',
    caught: 'damage in the middle is noticed, or does not matter',
  },
  {
    flaw: 'cuts',
    what: 'takes the last record of a closed log for a torn tail',
    caught: 'damage to the newest bytes of a closed log is noticed, or does not matter',
  },
  {
    flaw: 'trusts',
    what: 'reads without looking at checksums',
    caught: 'damage that comes while the log is open is not read as an entry',
  },
] as const;

type Flaw = (typeof logFlaws)[number]['flaw'];

/** What is on the disk: one item for each record and each compaction. */
type Item = (LogRecord | { readonly group: GroupId; readonly through: SnapshotMeta }) & { damaged?: boolean };

interface MemoryPlace {
  items: Item[];
  /** Where the life before the last one ended. */
  lifeStart: number;
  lives: number;
  identity: LogIdentity | null;
  open: MemoryLog | null;
  failNext: boolean;
}

export const soundLog: LogUnderTest<MemoryPlace> = memoryLog(null);

export function flawedLog(flaw: Flaw): LogUnderTest<MemoryPlace> {
  return memoryLog(flaw);
}

function memoryLog(flaw: Flaw | null): LogUnderTest<MemoryPlace> {
  return {
    create: () => ({ items: [], lifeStart: 0, lives: 0, identity: null, open: null, failNext: false }),
    open: async (place, identity) => open(place, identity, flaw),
    crash: (place) => place.open?.crash(),
    failNextSync: (place) => {
      place.failNext = true;
    },
    damage: (place, part) => {
      const item = place.items[Math.floor(part * place.items.length)];
      if (item !== undefined) item.damaged = true;
    },
  };
}

function open(place: MemoryPlace, identity: LogIdentity, flaw: Flaw | null): OpenedLog {
  if (place.open !== null && flaw !== 'lockless') throw new FlotillaError('FLOTILLA_DISK_LOCKED', 'in use');
  place.identity ??= identity;
  const same = place.identity.clusterId === identity.clusterId && place.identity.nodeId === identity.nodeId;
  if (!same && flaw !== 'open-to-all') throw new FlotillaError('FLOTILLA_LOG_FOREIGN', 'of somebody else');
  const damagedAt = place.items.findIndex((item) => item.damaged === true);
  if (damagedAt !== -1) {
    if (flaw === 'skips') place.items.splice(damagedAt, 1);
    else if (flaw === 'cuts') place.items.splice(damagedAt);
    else throw new FlotillaError('FLOTILLA_LOG_DAMAGED', `item ${damagedAt} is damaged`);
  }
  const read = flaw === 'one-life' ? place.items.slice(place.lifeStart) : place.items;
  place.lifeStart = place.items.length;
  place.lives += 1;
  const log = new MemoryLog(place, flaw);
  for (const item of read) log.perform(item);
  place.open = log;
  const groups = new Map([...log.groups].map(([id, group]) => [id, group.recovered(flaw)]));
  if (flaw === 'phantom') groups.set(0, new MemoryGroup().recovered(null));
  return { log, groups };
}

class MemoryGroup {
  hardState: HardState = { term: 0 as Term, vote: 0 as NodeId, commit: 0 as Index };
  snapshot: SnapshotMeta = { index: 0 as Index, term: 0 as Term, configuration: emptyConfiguration };
  entries: Entry[] = [];

  recovered(flaw: Flaw | null): RecoveredGroup {
    const { hardState, snapshot, entries } = this;
    const last = entries.at(-1)?.index ?? (flaw === 'empty-is-zero' ? 0 : snapshot.index);
    return {
      hardState: flaw === 'narrow' ? { ...hardState, term: (hardState.term >>> 0) as Term } : hardState,
      snapshot,
      termRuns: entries
        .filter((entry, at) => at === 0 || entry.term !== entries[at - 1]?.term)
        .map(({ index, term }) => ({ from: index, term })),
      lastIndex: last as Index,
      membership: entries.filter((entry) => entry.kind === 'membership'),
    };
  }
}

interface Waiting {
  readonly items: readonly Item[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class MemoryLog implements WriteAheadLog {
  readonly groups = new Map<GroupId, MemoryGroup>();
  readonly #place: MemoryPlace;
  readonly #flaw: Flaw | null;
  /** Answered, and not durable yet: what need not be synced. */
  #riding: Item[] = [];
  #queue: Waiting[] = [];
  #flushing = false;
  #dead = false;
  #closed = false;
  #failure: FlotillaError | null = null;
  readonly #listeners: ((error: Error) => void)[] = [];
  readonly #counts = { batches: 0, records: 0, entries: 0, writtenBytes: 0, syncs: 0 };

  constructor(place: MemoryPlace, flaw: Flaw | null) {
    this.#place = place;
    this.#flaw = flaw;
  }

  append(records: readonly LogRecord[]): Promise<void> {
    for (const { write } of records) {
      this.#counts.records += 1;
      this.#counts.entries += write.entries.length;
    }
    const items = records.map((record) => ({ ...record }));
    const unsynced = records.every((record) => !record.write.mustSync);
    if (unsynced && this.#flaw === 'commit-overtakes') {
      this.#riding.push(...items);
      return Promise.resolve();
    }
    return this.#enqueue(items);
  }

  compact(group: GroupId, through: SnapshotMeta): Promise<void> {
    if (this.#flaw === 'compaction-overtakes') {
      this.perform({ group, through });
      this.#place.items.push({ group, through });
      return Promise.resolve();
    }
    if (this.#flaw === 'lazy-compaction') {
      this.perform({ group, through });
      this.#riding.push({ group, through });
      return Promise.resolve();
    }
    return this.#enqueue([{ group, through }]);
  }

  async read(id: GroupId, from: Index, to: Index, maxBytes: number): Promise<readonly Entry[] | 'compacted'> {
    const group = this.groups.get(this.#idOf(id)) ?? new MemoryGroup();
    if (from <= group.snapshot.index) return 'compacted';
    const found: Entry[] = [];
    let bytes = 0;
    for (const entry of group.entries.filter(({ index }) => index >= from && index < to)) {
      bytes += entry.payload.length;
      if (bytes > maxBytes && found.length > 0 && this.#flaw !== 'reads-all') break;
      found.push(this.#checked(id, entry));
    }
    return found;
  }

  stats(): LogStats {
    const payload = [...this.groups.values()].flatMap((group) =>
      group.entries.map((one) => one.payload.length),
    );
    const liveBytes = payload.reduce((sum, length) => sum + length, 0);
    const counts =
      this.#flaw === 'countless'
        ? { batches: 0, records: 0, entries: 0, writtenBytes: 0, syncs: 0 }
        : this.#counts;
    return {
      ...counts,
      totalBytes: liveBytes,
      liveBytes,
      segments: 1,
      relocatedBytes: 0,
      failure: this.#failure,
    };
  }

  pinning(): readonly GroupId[] {
    return [...this.groups].filter(([, group]) => group.entries.length > 0).map(([id]) => id);
  }

  onFailure(listener: (error: Error) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.#flaw === 'close-drops') {
      for (const { reject } of this.#queue.splice(0))
        reject(new FlotillaError('FLOTILLA_LOG_CLOSED', 'closed'));
    }
    while (this.#queue.length > 0) await Promise.resolve();
    this.#closed = true;
    if (this.#failure !== null) {
      if (this.#flaw !== 'holds-on') this.#place.open = null;
      throw this.#failure;
    }
    if (this.#flaw !== 'close-forgets') this.#place.items.push(...this.#riding);
    this.#place.open = null;
  }

  /** Keeps a prefix of what was asked for: half of it. */
  crash(): void {
    this.#dead = true;
    const asked = [...this.#riding, ...this.#queue.flatMap(({ items }) => items)];
    const kept = Math.floor(asked.length / 2);
    if (this.#flaw === 'shuffles') this.#place.items.push(...asked.slice(asked.length - kept));
    else if (!this.#losesUnsynced) this.#place.items.push(...asked.slice(0, kept));
    if (this.#flaw === 'fragile') this.#place.items.pop();
    this.#place.open = null;
  }

  perform(item: Item): void {
    const id = this.#idOf(item.group);
    const group = this.groups.get(id) ?? new MemoryGroup();
    this.groups.set(id, group);
    if ('through' in item) {
      if (item.through.index <= group.snapshot.index && this.#flaw !== 'compacts-back') return;
      group.entries = group.entries.filter(({ index }) => index > item.through.index);
      group.snapshot = item.through;
      return;
    }
    const { write } = item;
    const { truncateFrom, snapshot } = write;
    if (snapshot !== null) {
      group.entries =
        this.#flaw === 'keeps-tail' ? group.entries.filter(({ index }) => index > snapshot.index) : [];
      group.snapshot = snapshot;
    } else if (truncateFrom !== null) {
      const from = this.#flaw === 'truncates-less' ? truncateFrom + 1 : truncateFrom;
      group.entries = group.entries.filter(({ index }) => index < from);
    }
    for (const entry of write.entries)
      group.entries.push(this.#flaw === 'kinds' ? { ...entry, kind: 'command' } : entry);
    if (write.hardState !== null) group.hardState = write.hardState;
  }

  get #losesUnsynced(): boolean {
    return (
      this.#flaw === 'eager' ||
      this.#flaw === 'tired' ||
      this.#flaw === 'lazy-votes' ||
      this.#flaw === 'lazy-compaction'
    );
  }

  #idOf(id: GroupId): GroupId {
    return this.#flaw === 'few-groups' ? id % 64 : id;
  }

  #checked(id: GroupId, entry: Entry): Entry {
    const wrote = this.#place.items.find(
      (item) =>
        item.group === id && 'write' in item && item.write.entries.some(({ index }) => index === entry.index),
    );
    if (wrote?.damaged !== true) return entry;
    if (this.#flaw === 'trusts') return { ...entry, payload: entry.payload.map((byte) => byte ^ 1) };
    throw new FlotillaError('FLOTILLA_LOG_DAMAGED', `entry ${entry.index} is damaged`);
  }

  #enqueue(items: readonly Item[]): Promise<void> {
    if (this.#failure !== null && this.#flaw !== 'retries') {
      if (this.#flaw === 'complains') for (const listener of this.#listeners) listener(this.#failure);
      return Promise.reject(this.#failure);
    }
    if (this.#closed && this.#flaw !== 'undead') {
      return Promise.reject(new FlotillaError('FLOTILLA_LOG_CLOSED', 'closed'));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ items, resolve, reject });
      if (!this.#flushing) void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    this.#flushing = true;
    while (this.#queue.length > 0) {
      await Promise.resolve();
      await Promise.resolve();
      if (this.#dead) return;
      const batch = [...this.#queue];
      this.#counts.syncs += 1;
      if (this.#place.failNext) {
        this.#place.failNext = false;
        this.#fail();
        if (this.#flaw !== 'retries') break;
      }
      for (const { items, resolve } of batch) {
        for (const item of items) this.#take(item);
        this.#queue.shift();
        resolve();
      }
    }
    this.#flushing = false;
  }

  #take(item: Item): void {
    this.perform(item);
    const votesOnly = 'write' in item && item.write.entries.length === 0;
    const late =
      this.#flaw === 'eager' ||
      (this.#flaw === 'tired' && this.#place.lives > 1) ||
      (this.#flaw === 'lazy-votes' && votesOnly) ||
      ('write' in item && !item.write.mustSync);
    if (late) this.#riding.push(item);
    else this.#place.items.push(...this.#riding.splice(0), item);
  }

  #fail(): void {
    const failure = new FlotillaError('FLOTILLA_LOG_FAILED', 'a sync failed');
    if (this.#flaw === 'retries') return;
    this.#failure = failure;
    for (const { reject } of this.#queue.splice(0)) reject(failure);
    for (const listener of this.#listeners) listener(failure);
  }
}
