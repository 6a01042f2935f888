import type { Random } from '@flotilla/platform';
import { applyChange, configurationOf, decodeMembershipChange, encodeMembershipChange } from '@flotilla/raft';
import type { Configuration, Entry, Index, MembershipChange, NodeId, Term } from '@flotilla/raft';
import { Compare, CompareTarget, DeleteRangeRequest, PutRequest, TxnRequest } from '@flotilla/wire';
import type { RequestOp } from '@flotilla/wire';
import { MemoryShardStore, SimulatedAccess } from '../simulation/ordering/memory-shard-store.ts';
import { encodePlain } from '../src/encoding/plain.ts';
import { textToBytes } from '../src/encoding/text.ts';
import type { OrderEffect, OrderEntry } from '../src/order/order-entry.ts';
import { OrderLeader } from '../src/order/order-leader.ts';
import { OrderMachine } from '../src/order/order-machine.ts';
import type { ShardRow } from '../src/order/shard-map.ts';
import { fragmentOf } from '../src/shard/fragment.ts';
import { holdsKey } from '../src/shard/key-span.ts';
import type { RequestOrigin } from '../src/shard/request-memory.ts';
import { orderShard, type ShardEffect, type ShardEntry, type ShardId } from '../src/shard/shard-entry.ts';
import { decodeShardEntry, encodeShardEntry } from '../src/shard/shard-entry-codec.ts';
import { ShardMachine } from '../src/shard/shard-machine.ts';
import { asTxn, type WriteRequest } from '../src/shard/write-request.ts';

const letters = 'abcdefghijklmnopqrstuvwx'.split('');
const keys: readonly Uint8Array[] = letters.flatMap((letter) =>
  [letter, `${letter}1`, `${letter}1\0`].map(textToBytes),
);
const everyKeysEnd = textToBytes('z');
const shardsMax = 6;
const leases = [7n, 8n, 9n];
const firstMembers = configurationOf([1, 2, 3]);

/** A shard as it was after one entry of its log. */
export interface Moment {
  readonly configuration: Configuration;
  /** Of the entry. */
  readonly effects: string;
  /** Null: it was not kept. */
  readonly state: { readonly encoded: Uint8Array; readonly store: MemoryShardStore } | null;
}

/** Of every so many entries the whole state is kept. */
export const keptEvery = 4;

/** A shard's log, and a machine that never crashed. */
export class LoggedShard {
  readonly id: ShardId;
  readonly log: Entry[] = [];
  machine: ShardMachine;
  configuration: Configuration;
  readonly initialConfiguration: Configuration;
  /** By how many entries were applied. */
  readonly moments: Moment[] = [];
  /** The last fact that is logged. */
  proposed = 0;

  constructor(machine: ShardMachine, configuration: Configuration) {
    this.id = machine.shard;
    this.machine = machine;
    this.configuration = configuration;
    this.initialConfiguration = configuration;
    this.keep('');
    // It begins with a state: whatever the first entry was, it is in there.
    this.append('no-op', new Uint8Array(0));
    this.keep('');
  }

  get applied(): number {
    return this.moments.length - 1;
  }

  append(kind: Entry['kind'], payload: Uint8Array): void {
    const index = (this.log.length + 1) as Index;
    this.log.push({ index, term: (1 + Math.floor(index / 40)) as Term, kind, payload });
  }

  keep(effects: string): void {
    const { configuration } = this;
    const isKept = this.moments.length % keptEvery === 0;
    this.moments.push({ configuration, effects, state: isKept ? this.#state : null });
  }

  /** As it is now. */
  get present(): Moment {
    const last = this.moments.at(-1) as Moment;
    return { ...last, state: this.#state };
  }

  get #state(): Moment['state'] {
    const store = (this.machine.store as MemoryShardStore).fork();
    return { encoded: this.machine.encode(), store };
  }
}

/** Logs of shards, as they could have come about: with the facts of a real order, and requests that meet each other. */
export class ShardHistory {
  readonly order: OrderMachine;
  readonly shards = new Map<ShardId, LoggedShard>();
  /** What has happened, to see that it does. */
  readonly coverage = new Map<string, number>();
  readonly #random: Random;
  readonly #leader = new OrderLeader(1, 60);
  readonly #sessions: { readonly session: number; next: number }[] = [];
  /** Entries that are logged later than others. */
  #late: { readonly shard: ShardId; readonly entry: ShardEntry }[] = [];
  #transactions = 0;
  #values = 0;
  #now = 0;

  constructor(random: Random) {
    this.#random = random;
    const nodes = [1, 2, 3].map((node) => ({ node, zone: '', labels: [] }));
    const row = (shard: ShardId, from: string, to: string | null): ShardRow => ({
      shard,
      span: { from: textToBytes(from), to: to === null ? null : textToBytes(to) },
      range: 1,
      membership: 1,
      nodes: [1, 2, 3],
    });
    const rows = [row(0, '', 'b'), row(1, 'b', 'm'), row(2, 'm', null)];
    const [store, access] = [new MemoryShardStore(), new SimulatedAccess()];
    this.order = new OrderMachine({ store, access, nodes, rows });
    for (const { shard, span } of rows.slice(1)) {
      const machine = new ShardMachine({ ...firstParts({ shard, span }), store: new MemoryShardStore() });
      this.shards.set(shard, new LoggedShard(machine, firstMembers));
    }
    for (let i = 0; i < 3; i += 1) this.#openSession();
  }

  shard(id: ShardId): LoggedShard {
    const found = this.shards.get(id);
    if (found === undefined) throw new Error(`no shard ${id}`);
    return found;
  }

  /** Those that have not been taken over. */
  get living(): readonly ShardRow[] {
    return this.order.map.rows.filter(({ shard }) => shard !== orderShard);
  }

  isGone(shard: ShardId): boolean {
    return this.order.map.row(shard) === null;
  }

  step(): void {
    this.#now += 1;
    const choice = this.#random.below(100);
    if (choice < 45) this.#request();
    else if (choice < 57) this.#transaction();
    else if (choice < 75) this.cut();
    else if (choice < 79) this.#reshape();
    else if (choice < 82) this.#lease();
    else if (choice < 84) this.#compact();
    else if (choice < 86) this.#member();
    else if (choice < 88) this.#own();
    else if (choice < 89) this.#session();
    else if (choice < 90) this.#auth();
    else if (choice < 92) this.#some().append('no-op', new Uint8Array(0));
    else this.#flushLate();
    this.#facts();
    this.#frontiers();
    this.advance();
  }

  /** Ends what is under way. */
  settle(): void {
    this.#flushLate();
    for (let round = 0; round < 30; round += 1) {
      this.#now += 20;
      this.cut();
      this.#facts();
      this.#frontiers();
      this.advance();
    }
  }

  // Requests.

  #request(): void {
    const row = this.#row();
    const write = this.#write(row);
    const stale = this.#random.below(30) === 0 ? 1 : 0;
    const user = this.#random.below(6) === 0 ? { name: `u${this.#random.below(2)}`, authRevision: 1 } : null;
    const entry: ShardEntry = {
      kind: 'request',
      origin: this.#origin(),
      user,
      range: row.range - stale,
      write,
      absent: this.#absent(),
    };
    this.log(row.shard, entry);
    // The same again.
    if (this.#random.below(8) === 0) this.#late.push({ shard: row.shard, entry });
  }

  #write(row: ShardRow): WriteRequest {
    const kind = this.#random.below(10);
    if (kind < 5) return { kind: 'put', request: this.#put(this.#key(row)) };
    if (kind < 7) {
      const key = this.#key(row);
      const isRange = this.#random.below(2) === 0;
      const rangeEnd = isRange ? this.#endAfter(row, key) : new Uint8Array(0);
      return { kind: 'delete-range', request: DeleteRangeRequest.create({ key, rangeEnd, prevKv: true }) };
    }
    return { kind: 'txn', request: this.#txn([row]) };
  }

  #put(key: Uint8Array): PutRequest {
    this.#values += 1;
    const lease = this.#random.below(5) === 0 ? this.#pick(leases) : 0n;
    const padding = this.#random.below(40) === 0 ? 'x'.repeat(700) : '';
    const value = textToBytes(`v${this.#values}${padding}`);
    return PutRequest.create({ key, value, lease, prevKv: this.#random.below(4) === 0 });
  }

  #txn(rows: readonly ShardRow[]): TxnRequest {
    const compareKey = this.#key(this.#pick(rows));
    const operations = (): RequestOp[] => {
      const used = new Set<string>();
      const made: RequestOp[] = [];
      for (const row of rows) {
        const key = this.#key(row);
        if (used.has(String(key))) continue;
        used.add(String(key));
        const value = this.#put(key);
        if (this.#random.below(3) > 0) made.push({ request: { case: 'requestPut', value } });
        else {
          const deletion = DeleteRangeRequest.create({ key });
          made.push({ request: { case: 'requestDeleteRange', value: deletion } });
        }
      }
      return made;
    };
    const guess = Math.max(0, this.order.frontier + 4 - this.#random.below(10));
    return TxnRequest.create({
      compare: [
        Compare.create({
          key: compareKey,
          target: CompareTarget.MOD,
          result: this.#random.below(3),
          targetUnion: { case: 'modRevision', value: guess },
        }),
      ],
      success: operations(),
      failure: operations(),
    });
  }

  #transaction(): void {
    const rows = this.living.filter(() => this.#random.below(2) === 0).slice(0, 3);
    if (rows.length < 2) return;
    const request = this.#txn(rows);
    const origin = this.#origin();
    this.#transactions += 1;
    const transaction = `${origin.session}.${origin.request}.${this.#transactions}`;
    const participants = rows.map(({ shard, range }) => ({ shard, range }));
    for (const { shard, span } of rows) {
      const entry: ShardEntry = {
        kind: 'prepare',
        transaction,
        origin,
        user: null,
        participants,
        fragment: fragmentOf(asTxn({ kind: 'txn', request }), span),
        revokes: null,
        absent: this.#absent(),
      };
      if (this.#random.below(4) === 0) this.#late.push({ shard, entry });
      else this.log(shard, entry);
    }
  }

  /** Of shard 0: they take revisions between those of the others. */
  #own(): void {
    const row = this.order.map.row(orderShard) as ShardRow;
    const request = PutRequest.create({ key: keys[0] as Uint8Array, value: textToBytes(`${this.#now}`) });
    const write = { kind: 'put', request } as const;
    const about = { origin: this.#origin(), user: null, range: row.range, absent: [] };
    this.#say({ kind: 'own', entry: { kind: 'request', ...about, write } });
  }

  #absent(): bigint[] {
    return leases.filter((lease) => this.order.leases.get(lease) === null);
  }

  #origin(): RequestOrigin {
    const session = this.#pick(this.#sessions);
    const request = session.next;
    session.next += 1;
    return { session: session.session, request, floor: Math.max(1, request - 12) };
  }

  // The order.

  cut(): void {
    for (const { id, machine } of this.shards.values()) {
      if (this.isGone(id)) continue;
      this.#leader.report(id, machine.seq, machine.ordered);
      for (const vote of machine.votes()) this.#leader.vote(this.order, vote, this.#now);
    }
    const cut = this.#leader.cut(this.order, this.#now);
    if (cut !== null) this.#say(cut);
    for (const { shard, entry } of this.#leader.revocations(this.order, this.#now)) {
      if (shard !== orderShard) this.log(shard, entry);
    }
    for (const { machine } of this.shards.values()) {
      if (machine.barrier === null || !machine.isDrained || this.isGone(machine.shard)) continue;
      const { kind } = machine.barrier;
      this.#count(kind);
      this.#say({ kind: 'range', change: machine.barrier, range: machine.epoch.range, nodes: [] });
    }
  }

  #reshape(): void {
    const { living } = this;
    const row = this.#pick(living);
    const splits = living.length < shardsMax && (living.length < 3 || this.#random.below(2) === 0);
    const place = living.indexOf(row);
    const into = living[place + (this.#random.below(2) === 0 ? 1 : -1)] ?? row;
    const change = splits
      ? ({ kind: 'split', shard: row.shard, at: this.#key(row) } as const)
      : ({ kind: 'merge', shard: row.shard, into: into.shard } as const);
    this.log(row.shard, { kind: 'barrier', change, range: row.range });
  }

  #lease(): void {
    const lease = this.#pick(leases);
    const known = this.order.leases.get(lease);
    const origin = this.#origin();
    if (known === null) this.#say({ kind: 'grant', origin, user: null, lease, ttl: 100 });
    else if (this.#random.below(3) === 0) this.#say({ kind: 'revoke', origin, user: null, lease });
    else this.#say({ kind: 'register', lease, shard: this.#row().shard });
  }

  #compact(): void {
    const revision = Math.max(1, this.order.frontier - this.#random.below(30));
    this.#say({ kind: 'compact', origin: this.#origin(), user: null, revision });
  }

  #auth(): void {
    const change = encodePlain({
      name: `u${this.#random.below(2)}`,
      denied: this.#random.below(2) === 0,
    });
    const position = { index: this.order.index + 1, term: 1 };
    this.order.tell(position, () => ({ change, origin: null, result: null }));
  }

  #session(): void {
    if (this.#random.below(2) === 0 && this.#sessions.length > 2) {
      const [oldest] = this.#sessions.splice(0, 1);
      this.#say({ kind: 'expire-sessions', sessions: [(oldest as { session: number }).session] });
    }
    this.#openSession();
  }

  #openSession(): void {
    const name = `session ${this.order.index}`;
    for (const effect of this.#say({ kind: 'open-session', name, owner: '' })) {
      if (effect.kind === 'session-opened') this.#sessions.push({ session: effect.session, next: 1 });
    }
  }

  #member(): void {
    const shard = this.#some();
    const learner = 9 as NodeId;
    const isThere = shard.configuration.learners.includes(learner);
    // An id is never used again, so it is asked for in vain from then on.
    const change: MembershipChange = {
      steps: [{ operation: isThere ? 'remove' : 'add-learner', id: learner }],
      transition: 'auto',
      context: new Uint8Array(0),
    };
    shard.append('membership', encodeMembershipChange(change));
  }

  #say(entry: OrderEntry): readonly OrderEffect[] {
    return this.order.apply(entry, { index: this.order.index + 1, term: 1 });
  }

  #facts(): void {
    for (const shard of this.shards.values()) {
      for (const fact of this.order.factsAfter(shard.id, shard.proposed)) {
        shard.append('command', encodeShardEntry({ kind: 'ordered', fact }));
        shard.proposed = fact.index;
        // Nobody knows whether it was lost.
        if (this.#random.below(12) === 0)
          this.#late.push({ shard: shard.id, entry: { kind: 'ordered', fact } });
      }
    }
  }

  #frontiers(): void {
    for (const { id, machine, applied } of this.shards.values()) {
      if (machine.frontierWantedAt === null || this.isGone(id)) continue;
      const after = this.order.lastFact(id, this.order.index);
      if (after === null || machine.ordered < after) continue;
      this.log(id, { kind: 'frontier', after, revision: this.order.frontier, asked: applied });
    }
  }

  // The logs.

  log(shard: ShardId, entry: ShardEntry): void {
    // Nobody leads it any more.
    if (this.isGone(shard) && entry.kind !== 'ordered') return;
    this.shard(shard).append('command', encodeShardEntry(entry));
  }

  #flushLate(): void {
    const late = this.#late;
    this.#late = [];
    for (const { shard, entry } of late) this.log(shard, entry);
  }

  /** Applies what is logged, where it was logged first. */
  advance(): void {
    for (let progress = true; progress;) {
      progress = false;
      for (const shard of this.shards.values()) {
        while (shard.applied < shard.log.length && this.#apply(shard)) progress = true;
      }
    }
  }

  /** False: it has to wait. */
  #apply(shard: LoggedShard): boolean {
    const logged = shard.log[shard.applied] as Entry;
    const { machine } = shard;
    const entry = this.#entryOf(shard, logged);
    const needs = entry === null ? null : machine.needs(entry);
    const drained = needs === null ? null : this.shard(needs.drained).machine;
    if (needs !== null && drained?.isComplete(needs.upTo) !== true) return false;
    const effects = entry === null ? [] : machine.apply(entry, logged.index, drained);
    for (const effect of effects) this.#effect(shard, effect);
    if (drained !== null) this.#count('taken over');
    shard.keep(digestOf(effects));
    return true;
  }

  #entryOf(shard: LoggedShard, { kind, payload }: Entry): ShardEntry | null {
    if (kind === 'command') return decodeShardEntry(payload);
    if (kind === 'no-op') return null;
    const result = applyChange(shard.configuration, decodeMembershipChange(payload));
    if (result.ok) shard.configuration = result.configuration;
    return { kind: 'members', membership: shard.machine.epoch.membership + 1 };
  }

  #effect(parent: LoggedShard, effect: ShardEffect): void {
    this.#count(effect.kind);
    if (effect.kind === 'refused') this.#count(`refused: ${effect.reason}`);
    if (effect.kind === 'vote') this.#leader.vote(this.order, effect.vote, this.#now);
    if (effect.kind !== 'split') return;
    // Those that are on their way out, or were once removed, are no affair of the child's.
    const { voters, learners } = parent.configuration;
    this.shards.set(effect.child.shard, new LoggedShard(effect.child, configurationOf(voters, learners)));
  }

  #count(what: string): void {
    this.coverage.set(what, (this.coverage.get(what) ?? 0) + 1);
  }

  // Choices.

  #row(): ShardRow {
    return this.#pick(this.living);
  }

  #some(): LoggedShard {
    return this.shard(this.#row().shard);
  }

  #key({ span }: ShardRow): Uint8Array {
    const own = keys.filter((key) => holdsKey(span, key));
    // A span that is cut between two neighbours of the list has its beginning.
    return own.length === 0 ? span.from : this.#pick(own);
  }

  #endAfter({ span }: ShardRow, key: Uint8Array): Uint8Array {
    const later = keys.filter((one) => Buffer.compare(one, key) > 0 && holdsKey(span, one));
    if (later.length > 0) return this.#pick(later);
    return span.to ?? everyKeysEnd;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)] as T;
  }
}

/** What the machines of the first shards begin with, but for their stores. */
export function firstParts({ shard, span }: Pick<ShardRow, 'shard' | 'span'>) {
  const epoch = { membership: 1, range: 1 };
  return { shard, span, epoch, access: new SimulatedAccess(), order: null } as const;
}

/** Equal for equal effects. */
export function digestOf(effects: readonly ShardEffect[]): string {
  const told = effects.map((effect) =>
    effect.kind === 'split' ? { kind: effect.kind, child: effect.child.shard } : effect,
  );
  return JSON.stringify(told, plainly);
}

function plainly(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Map) return [...value];
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Error) return value.message;
  return value;
}
