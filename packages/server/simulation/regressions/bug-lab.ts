import {
  checkRevisions,
  describeVerdict,
  History,
  put,
  type EtcdRequest,
  type EtcdResponse,
  type Verdict,
} from '@flotilla/check';
import type { Platform } from '@flotilla/platform';
import type { HostConfig } from '@flotilla/raft';
import { firstIndexOf } from '@flotilla/raft/simulation';
import {
  fromEventLoop,
  generatedTape,
  replayedTape,
  type SimNode,
  World,
  type WorldSettings,
} from '@flotilla/sim';
import type { OrderedStorage } from '@flotilla/store';
import {
  callUnary,
  type CallOptions,
  type MethodDescriptor,
  openFramedChannel,
  type RpcChannel,
} from '@flotilla/wire';
import type { Member } from '../../src/member/member.ts';
import { leaderIndex } from '../cluster/leader-index.ts';
import { SimClient, type EtcdHistory } from '../cluster/client.ts';
import { drawClusterSettings } from '../cluster/cluster-settings.ts';
import { clientPort, MemberNode } from '../cluster/member-node.ts';
import { WrittenHistory } from '../cluster/written-history.ts';
import { LabWatches, type WatchPlan } from './lab-watches.ts';

export interface BugLabOptions {
  readonly seed: number;
  readonly members?: number;
  /** Entries after which the log is trimmed to nothing: who was away for longer needs a snapshot. */
  readonly snapshotCount?: number;
  readonly host?: HostConfig;
  readonly commitDelayMs?: number;
  readonly flushDelayMs?: number;
  readonly world?: Partial<WorldSettings>;
  /** Of every member, by etcd's names. */
  readonly flags?: readonly (readonly [string, string])[];
  readonly wrapStorage?: (storage: OrderedStorage, platform: Platform) => OrderedStorage;
  /** Puts itself between a member and the world, in each life. */
  readonly wrapPlatform?: (platform: Platform) => Platform;
  /** Called with the lab before anything is started. */
  readonly begin?: (lab: BugLab) => void;
}

/** A call under way: `answer` or `error` is there when it is over. */
export interface Pending<Answer> {
  answer: Answer | null;
  error: unknown;
}

/**
 * Whole members, clients and watches in simulated time, to bring about the circumstances of one bug. The script is plain
 * synchronous code; time passes where it waits. When it has ended everything is healed and started, and all that was
 * answered, written and watched is judged: members hold the same, requests were one history, watches kept etcd's promises.
 */
export class BugLab {
  readonly world: World;
  readonly nodes: readonly SimNode[];
  readonly #members: readonly MemberNode[];
  readonly #written: WrittenHistory;
  readonly #history: EtcdHistory;
  readonly #watches: LabWatches;
  readonly #clients: SimClient[] = [];
  readonly #writers: { going: boolean; readonly isOver: () => boolean }[] = [];
  readonly #names: readonly string[];
  readonly #flags: readonly (readonly [string, string])[];
  #platform!: Platform;
  #channels: readonly RpcChannel[] = [];

  private constructor(options: BugLabOptions) {
    this.world = new World({ tape: generatedTape(options.seed), settings: options.world ?? {} });
    this.#history = new History(() => this.world.events);
    this.#written = new WrittenHistory(this.world);
    this.#flags = options.flags ?? [];
    this.#names = Array.from({ length: options.members ?? 3 }, (_, i) => `n${i + 1}`);
    const { snapshotCount = 10_000, host = {}, commitDelayMs = 0, flushDelayMs = 0, wrapStorage } = options;
    const trims = options.snapshotCount === undefined ? {} : { tailEntries: 0, laggingEntries: 0 };
    const settings = {
      heartbeatMs: 100,
      electionMs: 1_000,
      snapshotCount,
      host: { ...trims, logLimits: { segmentBytes: 64 * 1024 }, ...host },
      commitDelayMs,
      flushDelayMs,
      ...(wrapStorage === undefined ? {} : { wrapStorage }),
    };
    const place = { settings: () => this.#flags, removed: () => undefined };
    this.#members = this.#names.map(
      (name) =>
        new MemberNode(this.world, settings, name, this.#names, this.#written, () => undefined, place),
    );
    const { wrapPlatform = (platform: Platform) => platform } = options;
    this.nodes = this.#members.map((member) =>
      this.world.addNode(member.name, (platform) => member.main(wrapPlatform(platform))),
    );
    this.world.addNode('client', (platform) => {
      this.#platform = platform;
      this.#channels = this.#names.map((host) => this.#open(platform, host));
    });
    this.#watches = new LabWatches((member) => this.#open(this.#platform, this.#names[member] as string));
  }

  /** Runs a script where simulations can run. Rejects with what the script or the judges have found. */
  static run(options: BugLabOptions, script: (lab: BugLab) => void): Promise<void> {
    return fromEventLoop(() => {
      const lab = new BugLab(options);
      try {
        options.begin?.(lab);
        for (const node of lab.world.nodes.values()) node.start();
        lab.until('a leader', 10_000, () => lab.leader >= 0);
        // Until every member has said what it understands, new kinds of requests are refused.
        lab.pass(1_000);
        script(lab);
        lab.#finish();
      } finally {
        lab.world.end();
      }
    });
  }

  // Members.

  /** −1: none. */
  get leader(): number {
    return leaderIndex(this.nodes, this.#members);
  }

  /** Any member but the leader. */
  get follower(): number {
    return (this.leader + 1) % this.nodes.length;
  }

  member(index: number): Member {
    const member = this.running(index);
    if (member === null) throw new Error(`${this.#names[index]} does not run`);
    return member;
  }

  /** The other members do not hear it, nor it them; clients do. */
  isolate(index: number): void {
    const node = this.nodes[index] as SimNode;
    for (const other of this.nodes) {
      // What is under way would come late, and bring it up to date.
      this.world.network.resetBetween(node, other);
      this.world.network.links.cut(node, other);
      this.world.network.links.cut(other, node);
    }
  }

  heal(): void {
    this.world.network.links.heal();
  }

  crash(index: number): void {
    this.nodes[index]?.crash();
    (this.#members[index] as MemberNode).member = null;
  }

  start(index: number): void {
    this.nodes[index]?.start();
    this.until(`${this.#names[index]} runs`, 10_000, () => this.running(index) !== null);
  }

  /** Until it has applied what the leader has. */
  awaitCaughtUp(index: number): void {
    this.until(`${this.#names[index]} has caught up`, 30_000, () => {
      const leader = this.running(this.leader);
      const member = this.running(index);
      if (leader === null || member === null || !member.group.status().stateReady) return false;
      return member.group.status().applied >= leader.group.status().commit;
    });
  }

  /** Writes until whoever leads has no entries any more that would bring a member up to date that is away. */
  leaveBehind(
    index: number,
    write: (count: number) => void = (count) => this.put('filler', String(count)),
  ): void {
    for (let count = 0; count < 100; count += 1) {
      this.until('one leads', 10_000, () => this.leader >= 0);
      write(count);
      this.pass(20);
      const { group } = this.member(this.leader);
      if (firstIndexOf(group) > this.member(index).group.status().lastIndex + 1) return;
    }
    throw new Error(`the log was not trimmed; ${this.#describe()}`);
  }

  /** Until a snapshot has taken the place of its state. */
  awaitSnapshot(index: number): void {
    this.until(`${this.#names[index]} has a snapshot`, 30_000, () => {
      return (this.running(index)?.database.installed ?? null) !== null;
    });
  }

  // Time.

  pass(ms: number): void {
    this.world.run(ms);
    this.#stopIfFailed();
  }

  until(what: string, withinMs: number, holds: () => boolean): void {
    if (!holds()) this.world.run(withinMs, holds);
    this.#stopIfFailed();
    if (!holds()) throw new Error(`not within ${withinMs} ms: ${what}; ${this.#describe()}`);
  }

  draw(bound: number, label: string): number {
    return this.world.tape.choose(bound, label);
  }

  // Clients.

  /** A request about keys, whose answer the judges will see. Null: it had none, or was refused. */
  request(request: EtcdRequest, member = this.leader, token?: string): EtcdResponse | null {
    const pending = this.begin(request, member, token);
    this.until(`an answer to ${request.type}`, 12_000, () => isOver(pending));
    if (pending.error !== null) throw pending.error;
    return pending.answer;
  }

  /** The same without waiting. */
  begin(request: EtcdRequest, member = this.leader, token?: string): Pending<EtcdResponse | null> {
    const client = this.#newClient();
    client.open(this.#platform);
    return this.#spawn(async () => {
      const metadata = token === undefined ? {} : { token };
      const answer = await client.request(member, request, requestMs, metadata);
      client.close();
      return answer;
    });
  }

  put(key: string, value: string, member = this.leader): number {
    const response = this.request(put(key, value), member);
    if (response?.type !== 'put') throw new Error(`${key}=${value} was not put`);
    return response.revision;
  }

  /** Any call that writes no keys. Throws what it was refused with. */
  call<Request, Response>(
    method: MethodDescriptor<Request, Response, 'unary'>,
    request: Request,
    options: CallOptions & { readonly member?: number } = {},
  ): Response {
    const pending = this.beginCall(method, request, options);
    this.until(`an answer to ${method.path}`, 12_000, () => isOver(pending));
    if (pending.answer === null) throw pending.error;
    return pending.answer;
  }

  beginCall<Request, Response>(
    method: MethodDescriptor<Request, Response, 'unary'>,
    request: Request,
    { member = this.leader, ...options }: CallOptions & { readonly member?: number } = {},
  ): Pending<Response> {
    const channel = this.#channels[member] as RpcChannel;
    return this.#spawn(() => callUnary(channel, method, request, { timeoutMs: requestMs, ...options }));
  }

  /** Clients that ask one after the other until {@link stopLoad}; each has a member of its own, and moves on when it fails. */
  load(clients: number, thinkMs: number, draw: (client: number, count: number) => EtcdRequest): void {
    for (let i = 0; i < clients; i += 1) {
      const client = this.#newClient();
      const number = this.#clients.length - 1;
      const state = { going: true, over: false, isOver: () => state.over };
      this.#writers.push(state);
      const main = async (platform: Platform): Promise<void> => {
        client.open(platform);
        let member = i % this.#names.length;
        for (let count = 0; state.going; count += 1) {
          const answer = await client.request(member, draw(number, count), loadRequestMs);
          if (answer === null) member = (member + 1) % this.#names.length;
          await new Promise<void>((resolve) => platform.timer(thinkMs, 'think', resolve));
        }
        client.close();
        state.over = true;
      };
      this.world.addNode(writerName(number), main).start();
    }
  }

  stopLoad(): void {
    for (const writer of this.#writers) writer.going = false;
    this.until('clients end', 30_000, () => this.#writers.every((writer) => writer.isOver()));
  }

  /** Several watches on one stream of the client. They are judged when all is over. */
  watch(member: number, ...plans: readonly WatchPlan[]): ReturnType<LabWatches['open']> {
    return this.#watches.open(this.#platform, member, plans);
  }

  // Judgement.

  expect(fine: boolean, message: string): void {
    if (!fine) throw new Error(`${message}; ${this.#describe()}`);
  }

  #finish(): void {
    this.heal();
    for (const node of this.nodes) {
      node.resume();
      node.start();
    }
    this.stopLoad();
    this.until('members agree', 60_000, () => this.#agree());
    const members = this.#members.map(({ name, member }) => {
      const { revision, compactRevision, hash } = (member as Member).database.hash();
      return {
        name,
        text: `revision ${revision}, compacted at ${compactRevision}, hash ${hash.toString(16)}`,
      };
    });
    const differ = members.some(({ text }) => text !== members[0]?.text);
    this.expect(!differ, `members differ: ${members.map(({ name, text }) => `${name}: ${text}`).join('; ')}`);
    const persisted = this.#written.complete();
    this.expect(persisted !== null, 'nobody has told the whole history');
    const { calls } = this.#history;
    fine(checkRevisions(calls, { persisted: persisted ?? [] }).verdict);
    this.#written.judgeWatches(this.#watches.records);
    this.#stopIfFailed();
  }

  #agree(): boolean {
    const statuses = this.#members.map((_, i) => this.running(i)?.group.status() ?? null);
    const [first] = statuses;
    return statuses.every(
      (status) =>
        status !== null &&
        status.stateReady &&
        status.leader !== 0 &&
        status.leader === first?.leader &&
        status.applied === first.applied &&
        status.lastIndex === first.applied,
    );
  }

  /** Null while it is down or starts. */
  running(index: number): Member | null {
    return this.nodes[index]?.running === true ? (this.#members[index]?.member ?? null) : null;
  }

  #newClient(): SimClient {
    const number = this.#clients.length;
    const client = new SimClient({
      world: this.world,
      settings: quiet,
      number,
      memberNames: this.#names,
      history: this.#history,
      goesOn: () => false,
    });
    this.#clients.push(client);
    return client;
  }

  #spawn<Answer>(run: () => Promise<Answer>): Pending<Answer> {
    const pending: Pending<Answer> = { answer: null, error: notYet };
    this.#platform.spawn('call', async () => {
      try {
        pending.answer = await run();
        pending.error = null;
      } catch (error) {
        pending.error = error;
      }
    });
    return pending;
  }

  #open(platform: Platform, host: string): RpcChannel {
    return openFramedChannel(platform, { endpoints: [{ host, port: clientPort }] });
  }

  #stopIfFailed(): void {
    const { violation } = this.world;
    if (violation === null) return;
    throw new Error(`${violation.name}: ${violation.message}\n${violation.stack ?? ''}`);
  }

  #describe(): string {
    return this.#members
      .map(({ name }, i) => {
        const status = this.running(i)?.group.status();
        if (status === undefined) return `${name} is down`;
        const { role, term, leader, commit, applied, lastIndex, life } = status;
        return `${name}: ${role} of term ${term}, leader ${leader}, ${life}, commit ${commit}, applied ${applied} of ${lastIndex}`;
      })
      .join('; ');
  }
}

/** Whether a call has its answer or its error. */
export function isOver(pending: Pending<unknown>): boolean {
  return pending.error !== notYet;
}

function fine(verdict: Verdict): void {
  if (verdict.outcome !== 'ok') throw new Error(describeVerdict(verdict));
}

function writerName(number: number): string {
  return `writer${number}`;
}

const notYet = Symbol('not yet');
const requestMs = 10_000;
const loadRequestMs = 1_500;
const quiet = drawClusterSettings(replayedTape([]));
