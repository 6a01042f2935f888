import { EventHeap } from '@flotilla/sim';
import { limits } from '../../src/limits.ts';
import type { CostConstants } from './cost-constants.ts';

/** Members and shards that are simulated, and on what. */
export interface CostPlan {
  /** Processes that share the cores of one machine, as everything does here; or each with a core of its own. */
  readonly cores: number | 'each';
  /** By member: nothing. Of each shard: the members that have it, the first of which leads. */
  readonly groups: readonly (readonly number[])[];
  readonly members: number;
  /** Of group 0: votes are counted among the first so many of its members. */
  readonly orderVoters: number;
  /** Shards that are written to, each by so many clients, and the members that these ask. */
  readonly written: readonly number[];
  readonly clients: number;
  readonly asked: (shard: number) => readonly number[];
  readonly constants: CostConstants;
}

export interface CostResult {
  readonly writesPerSecond: number;
  readonly p50Ms: number;
  /** Processor time, µs a write: of all members, and of what group 0 is the reason for. */
  readonly cpuUs: number;
  readonly orderCpuUs: number;
  readonly cutsPerSecond: number;
  /** The share of its time that the busiest member works. */
  readonly busiest: number;
}

const SETTLE_MS = 300;
const MEASURED_MS = 1_200;
/** One way between two processes, beside what their processors do for it. */
const HOP_MS = 0.05;
const ORDER = 0;

type Command =
  | { readonly kind: 'write'; readonly client: number; readonly at: number }
  | { readonly kind: 'cut'; readonly rows: ReadonlyMap<number, number> }
  | { readonly kind: 'ordered' };

type Input =
  | { readonly kind: 'request'; readonly client: number; readonly shard: number }
  | { readonly kind: 'forward'; readonly group: number; readonly commands: readonly Command[] }
  | { readonly kind: 'append'; readonly group: number; readonly last: number; readonly commit: number }
  | { readonly kind: 'ack'; readonly group: number; readonly from: number; readonly upTo: number }
  | { readonly kind: 'synced'; readonly marks: ReadonlyMap<number, number> }
  | { readonly kind: 'report'; readonly rows: ReadonlyMap<number, number> }
  | { readonly kind: 'cut' };

/** A member's part of a group. */
interface Replica {
  last: number;
  synced: number;
  commit: number;
  applied: number;
  seq: number;
  /** Of a leader: what each member has on its disk. */
  readonly matched: Map<number, number>;
  /** Who asked here, by seq. */
  readonly asked: Map<number, number>;
}

/**
 * The protocol of a write over several shards with nothing but its costs: a member is a processor that takes all that has
 * come in one turn, as an event loop does, and a disk that syncs one batch at a time; logs are counters. What batches form,
 * and what waits for what, follows from that.
 */
export class CostSimulation {
  readonly #plan: CostPlan;
  readonly #heap = new EventHeap<() => void>();
  readonly #processes: Process[];
  readonly #client: Process;
  /** Of each group: its log, which the leader has whole. */
  readonly #logs: Command[][];
  readonly #reported = new Map<number, number>();
  #nowMs = 0;
  #cutting = false;
  #cutBegunMs = 0;
  #nextCutMs = -Infinity;
  #numbered = new Map<number, number>();
  #cuts = 0;
  #writes = 0;
  #orderUs = 0;
  readonly #since = new Map<number, number>();
  readonly #latencies: number[] = [];
  #running = 0;
  readonly #ready: Process[] = [];

  constructor(plan: CostPlan) {
    this.#plan = plan;
    this.#processes = Array.from({ length: plan.members }, (_, member) => new Process(member, plan.groups));
    this.#client = new Process(-1, []);
    this.#logs = plan.groups.map(() => []);
  }

  run(): CostResult {
    const { written, clients, constants } = this.#plan;
    for (let client = 0; client < written.length * clients; client += 1) this.#ask(client);
    this.#until(SETTLE_MS);
    const before = this.#processes.map(({ busyUs }) => busyUs);
    const [writes, cuts, orderUs] = [this.#writes, this.#cuts, this.#orderUs];
    this.#latencies.length = 0;
    this.#until(SETTLE_MS + MEASURED_MS);
    const seconds = MEASURED_MS / 1_000;
    const done = this.#writes - writes;
    const used = this.#processes.map(({ busyUs }, i) => busyUs - (before[i] as number));
    const sum = used.reduce((total, us) => total + us, 0) + this.#processes.length * constants.idle * seconds;
    const sorted = [...this.#latencies].sort((a, b) => a - b);
    return {
      writesPerSecond: done / seconds,
      p50Ms: sorted[sorted.length >> 1] ?? Number.NaN,
      cpuUs: sum / done,
      orderCpuUs: (this.#orderUs - orderUs) / done,
      cutsPerSecond: (this.#cuts - cuts) / seconds,
      busiest: Math.max(...used) / (MEASURED_MS * 1_000),
    };
  }

  #until(untilMs: number): void {
    while (this.#heap.nextTime <= untilMs) {
      this.#nowMs = this.#heap.nextTime;
      this.#heap.pop()();
    }
    this.#nowMs = untilMs;
  }

  #after(delayMs: number, action: () => void): void {
    this.#heap.push(this.#nowMs + delayMs, action);
  }

  // Clients.

  #ask(client: number): void {
    const { written, asked } = this.#plan;
    const shard = written[client % written.length] as number;
    const members = asked(shard);
    const member = members[Math.floor(client / written.length) % members.length] as number;
    this.#since.set(client, this.#nowMs);
    this.#work(this.#client, () => {
      this.#after(HOP_MS, () => this.#give(member, { kind: 'request', client, shard }));
      return this.#plan.constants.client;
    });
  }

  #answer(client: number): void {
    this.#after(HOP_MS, () => {
      this.#writes += 1;
      this.#latencies.push(this.#nowMs - (this.#since.get(client) as number));
      this.#ask(client);
    });
  }

  // Processors: what waits is done in one turn; what it brings about leaves at the end of it.

  #give(member: number, input: Input): void {
    const process = this.#processes[member] as Process;
    process.inputs.push(input);
    this.#wake(process);
  }

  /** A task of its own; answers its cost. */
  #work(process: Process, task: () => number): void {
    process.tasks.push(task);
    this.#wake(process);
  }

  #wake(process: Process): void {
    if (process.isBusy) return;
    process.isBusy = true;
    this.#ready.push(process);
    this.#dispatch();
  }

  #dispatch(): void {
    const { cores } = this.#plan;
    while (this.#ready.length > 0 && (cores === 'each' || this.#running < cores)) {
      const process = this.#ready.shift() as Process;
      this.#running += 1;
      const effects: (() => void)[] = [];
      const costUs = process === this.#client ? this.#clientTurn(process) : this.#turn(process, effects);
      process.busyUs += costUs;
      this.#after(costUs / 1_000, () => {
        for (const effect of effects) effect();
        this.#running -= 1;
        process.isBusy = false;
        if (process.inputs.length > 0 || process.tasks.length > 0) this.#wake(process);
        this.#dispatch();
      });
    }
  }

  #clientTurn(process: Process): number {
    const tasks = process.tasks.splice(0);
    return tasks.reduce((costUs, task) => costUs + task(), 0);
  }

  #turn(process: Process, effects: (() => void)[]): number {
    const turn = new Turn(process.member, this.#plan.constants);
    for (const input of process.inputs.splice(0)) this.#take(process, input, turn);
    this.#flush(process, turn, effects);
    this.#orderUs += turn.orderUs;
    return turn.costUs;
  }

  #take(process: Process, input: Input, turn: Turn): void {
    switch (input.kind) {
      case 'request': {
        turn.charge(turn.constants.request, false);
        const command: Command = { kind: 'write', client: input.client, at: process.member };
        this.#propose(process, input.shard, [command], turn);
        return;
      }
      case 'forward':
        turn.charge(turn.constants.message, input.group === ORDER);
        this.#propose(process, input.group, input.commands, turn);
        return;
      case 'append': {
        turn.charge(turn.constants.message, input.group === ORDER);
        const replica = process.replicas.get(input.group) as Replica;
        if (input.last > replica.last) {
          replica.last = input.last;
          turn.appended.add(input.group);
        }
        replica.commit = Math.max(replica.commit, input.commit);
        this.#apply(process, input.group, turn);
        return;
      }
      case 'ack': {
        turn.charge(turn.constants.message, input.group === ORDER);
        const replica = process.replicas.get(input.group) as Replica;
        replica.matched.set(input.from, Math.max(replica.matched.get(input.from) ?? 0, input.upTo));
        this.#commit(process, input.group, turn);
        return;
      }
      case 'synced':
        process.isSyncing = false;
        for (const [group, mark] of input.marks) {
          const replica = process.replicas.get(group) as Replica;
          replica.synced = mark;
          const leader = this.#leaderOf(group);
          if (leader === process.member) {
            replica.matched.set(process.member, mark);
            this.#commit(process, group, turn);
          } else turn.send(leader, { kind: 'ack', group, from: process.member, upTo: mark }, group === ORDER);
        }
        return;
      case 'report':
        turn.charge(turn.constants.message, true);
        for (const [shard, seq] of input.rows) {
          this.#reported.set(shard, Math.max(this.#reported.get(shard) ?? 0, seq));
        }
        this.#cut(process, turn);
        return;
      case 'cut':
        this.#cut(process, turn);
        return;
    }
  }

  #propose(process: Process, group: number, commands: readonly Command[], turn: Turn): void {
    const leader = this.#leaderOf(group);
    if (leader !== process.member) {
      turn.forward(leader, group, commands);
      return;
    }
    (this.#logs[group] as Command[]).push(...commands);
    const replica = process.replicas.get(group) as Replica;
    replica.last += commands.length;
    turn.appended.add(group);
    turn.broadcast.add(group);
  }

  #commit(process: Process, group: number, turn: Turn): void {
    const members = this.#plan.groups[group] as readonly number[];
    const voters = group === ORDER ? members.slice(0, this.#plan.orderVoters) : members;
    const replica = process.replicas.get(group) as Replica;
    const marks = voters.map((member) => replica.matched.get(member) ?? 0).sort((a, b) => b - a);
    const commit = marks[voters.length >> 1] as number;
    if (commit <= replica.commit) return;
    replica.commit = commit;
    turn.broadcast.add(group);
    this.#apply(process, group, turn);
  }

  #apply(process: Process, group: number, turn: Turn): void {
    const replica = process.replicas.get(group) as Replica;
    const log = this.#logs[group] as Command[];
    const upTo = Math.min(replica.commit, replica.last);
    for (; replica.applied < upTo; replica.applied += 1) {
      const command = log[replica.applied] as Command;
      turn.charge(turn.constants.entry, group === ORDER || command.kind === 'ordered');
      if (command.kind === 'write') {
        replica.seq += 1;
        if (command.at === process.member) {
          if (group === ORDER) turn.answers.push(command.client);
          else replica.asked.set(replica.seq, command.client);
        }
        if (group !== ORDER && this.#leaderOf(group) === process.member)
          process.dirty.set(group, replica.seq);
      } else if (command.kind === 'cut') this.#cutApplied(process, command.rows, turn);
    }
  }

  #cutApplied(process: Process, rows: ReadonlyMap<number, number>, turn: Turn): void {
    for (const [shard, upTo] of rows) {
      const replica = process.replicas.get(shard);
      if (replica === undefined) continue;
      for (const [seq, client] of replica.asked) {
        if (seq > upTo) break;
        replica.asked.delete(seq);
        turn.answers.push(client);
      }
      if (this.#leaderOf(shard) === process.member)
        this.#propose(process, shard, [{ kind: 'ordered' }], turn);
    }
    if (this.#leaderOf(ORDER) !== process.member) return;
    this.#cutting = false;
    const { cutPauseMs, cutPauseMostMs } = limits;
    const tookMs = this.#nowMs - this.#cutBegunMs;
    this.#nextCutMs = this.#nowMs + Math.min(Math.max(tookMs, cutPauseMs), cutPauseMostMs);
    this.#cut(process, turn);
  }

  #cut(process: Process, turn: Turn): void {
    if (this.#cutting) return;
    const rows = [...this.#reported].filter(([shard, seq]) => seq > (this.#numbered.get(shard) ?? 0));
    if (rows.length === 0) return;
    const waitMs = this.#nextCutMs - this.#nowMs;
    this.#cutting = true;
    if (waitMs > 0) {
      this.#after(waitMs, () => {
        this.#cutting = false;
        this.#give(process.member, { kind: 'cut' });
      });
      return;
    }
    this.#cutBegunMs = this.#nowMs;
    this.#cuts += 1;
    for (const [shard, seq] of rows) this.#numbered.set(shard, seq);
    this.#propose(process, ORDER, [{ kind: 'cut', rows: new Map(rows) }], turn);
  }

  #flush(process: Process, turn: Turn, effects: (() => void)[]): void {
    const { constants } = turn;
    if (process.dirty.size > 0) {
      const rows = new Map(process.dirty);
      process.dirty.clear();
      turn.send(this.#leaderOf(ORDER), { kind: 'report', rows }, true);
    }
    for (const group of turn.broadcast) {
      const { last, commit } = process.replicas.get(group) as Replica;
      for (const member of this.#plan.groups[group] as readonly number[]) {
        if (member !== process.member)
          turn.send(member, { kind: 'append', group, last, commit }, group === ORDER);
      }
    }
    for (const group of turn.appended) process.unsynced.add(group);
    if (turn.appended.size > 0) turn.charge(constants.append, turn.appended.has(ORDER));
    effects.push(() => {
      for (const { to, input } of turn.outbox) {
        if (to === process.member) this.#give(to, input);
        else this.#after(HOP_MS, () => this.#give(to, input));
      }
      for (const client of turn.answers) this.#answer(client);
      this.#sync(process);
    });
  }

  #sync(process: Process): void {
    if (process.isSyncing || process.unsynced.size === 0) return;
    process.isSyncing = true;
    const marks = new Map(
      [...process.unsynced].map((group) => [group, (process.replicas.get(group) as Replica).last]),
    );
    process.unsynced.clear();
    this.#after(this.#plan.constants.syncMs, () => this.#give(process.member, { kind: 'synced', marks }));
  }

  #leaderOf(group: number): number {
    return (this.#plan.groups[group] as readonly number[])[0] as number;
  }
}

class Process {
  readonly member: number;
  readonly replicas = new Map<number, Replica>();
  readonly inputs: Input[] = [];
  readonly tasks: (() => number)[] = [];
  /** Shards that it leads and has not reported. */
  readonly dirty = new Map<number, number>();
  readonly unsynced = new Set<number>();
  isBusy = false;
  isSyncing = false;
  busyUs = 0;

  constructor(member: number, groups: CostPlan['groups']) {
    this.member = member;
    for (const [group, members] of groups.entries()) {
      if (!members.includes(member)) continue;
      const replica: Replica = {
        last: 0,
        synced: 0,
        commit: 0,
        applied: 0,
        seq: 0,
        matched: new Map(),
        asked: new Map(),
      };
      this.replicas.set(group, replica);
    }
  }
}

/** What one turn of a member costs, and brings about. */
class Turn {
  readonly member: number;
  readonly constants: CostConstants;
  readonly appended = new Set<number>();
  /** Groups whose members have to hear something. */
  readonly broadcast = new Set<number>();
  readonly outbox: { readonly to: number; readonly input: Input }[] = [];
  readonly answers: number[] = [];
  costUs = 0;
  /** What of it would not be without the order. */
  orderUs = 0;

  constructor(member: number, constants: CostConstants) {
    this.member = member;
    this.constants = constants;
  }

  charge(costUs: number, isOfOrder: boolean): void {
    this.costUs += costUs;
    if (isOfOrder) this.orderUs += costUs;
  }

  send(to: number, input: Input, isOfOrder: boolean): void {
    if (to !== this.member) this.charge(this.constants.message, isOfOrder);
    this.outbox.push({ to, input });
  }

  /** What goes the same way in one turn goes in one message. */
  forward(to: number, group: number, commands: readonly Command[]): void {
    const at = this.outbox.findIndex(
      ({ to: other, input }) => other === to && input.kind === 'forward' && input.group === group,
    );
    const before = this.outbox[at]?.input;
    if (before?.kind === 'forward') {
      this.outbox[at] = { to, input: { ...before, commands: [...before.commands, ...commands] } };
    } else this.send(to, { kind: 'forward', group, commands }, group === ORDER);
  }
}
