import {
  checkLinearizability,
  describeVerdict,
  History,
  keyValueModel,
  type KeyValueOperation,
  type KeyValueResult,
} from '@flotilla/check';
import type { Platform } from '@flotilla/platform';
import type { GroupStatus, HostConfig } from '@flotilla/raft';
import { firstIndexOf, peerFrames } from '@flotilla/raft/simulation';
import { resultOf, type SimNode, type Tape, World, type WorldSettings } from '@flotilla/sim';
import { openFramedChannel, type RpcChannel } from '@flotilla/wire';
import type { Member } from '../../src/member/member.ts';
import { clientPort, MemberNode, type MemberSettings, peerPort } from '../cluster/member-node.ts';
import { WrittenHistory } from '../cluster/written-history.ts';
import { type ClientWire, reliableWire, unreliableWire } from './client-wire.ts';
import { type ClientHome, KvClient } from './kv-client.ts';
import type { KvLabResult, Measure } from './lab-result.ts';
import { LabStopped } from './lab-stopped.ts';

export interface KvLabOptions {
  readonly members: number;
  /** The courses' unreliable network: see {@link unreliableWire}. */
  readonly unreliable?: boolean;
  /** Entries after which the log is compacted; null: never in such a run. */
  readonly snapshotEvery?: number | null;
  readonly host?: HostConfig;
  readonly heartbeatMs?: number;
  readonly electionMs?: number;
}

/** The thresholds that many scenarios share, from the catalogue's sections 1.0 and 1.3. */
export const kvLimits = {
  leaderMs: 5_000,
  /** For what must come to an end on a healthy cluster. */
  agreeMs: 10_000,
  /** Of the log's live bytes, where snapshots are on: eight times what the courses snapshot at. */
  logBytes: 8_000,
  /** The tests' time-out for a call that must not succeed. */
  silenceMs: 1_000,
} as const;

/** Between members a stream loses nothing: what is lost comes late, and messages come twice, late and again. */
const unreliableWorld: Partial<WorldSettings> = {
  delayMaxMs: 26,
  lossPerMille: 100,
  retransmitMs: 20,
  duplicatePerMille: 50,
  reorderPerMille: 50,
  redeliverPerMille: 20,
};

export interface LabMember {
  readonly node: SimNode;
  readonly lives: MemberNode;
  /** Of the partition: members that are in different parts do not hear each other; clients hear all. */
  part: number;
}

/**
 * Whole members and their clients in the vocabulary of the courses' harnesses. Scripts are plain synchronous code; time
 * passes in {@link KvLab.sleep}, {@link KvLab.until} and what uses them. Clients are nodes of their own, whose code is
 * asynchronous.
 *
 * Always checked, whatever the script does: one leader a term; every member writes the same history; in the end all
 * hold the same state, and what clients saw was linearizable, versions included. A checker that cannot tell has failed.
 *
 * @example
 * const lab = new KvLab(tape, { members: 3 });
 * lab.boot();
 * lab.client(async (client) => { await client.put('k', 'v'); });
 * lab.clientsEnd();
 */
export class KvLab implements ClientHome {
  readonly world: World;
  readonly tape: Tape;
  readonly members: readonly LabMember[];
  readonly history: History<KeyValueOperation, KeyValueResult>;
  readonly clients: KvClient[] = [];
  readonly sessionPrefix = '';
  wire: ClientWire;
  readonly #leaderMs: number;
  readonly #written: WrittenHistory;
  readonly #measures = new Map<string, Measure>();
  readonly #leaders = new Map<number, string>();

  constructor(tape: Tape, options: KvLabOptions) {
    this.tape = tape;
    this.#leaderMs = Math.max(kvLimits.leaderMs, 5 * (options.electionMs ?? 0));
    this.wire = options.unreliable === true ? unreliableWire : reliableWire;
    this.world = new World({ tape, settings: options.unreliable === true ? unreliableWorld : {} });
    this.world.network.declareFrames(peerPort, peerFrames);
    // Events, not time: at one instant many things happen one after the other.
    this.history = new History(() => this.world.events);
    const names = Array.from({ length: options.members }, (_, i) => `n${i + 1}`);
    this.#written = new WrittenHistory(this.world);
    const elected = (term: number, name: string): void => this.#elected(term, name);
    this.members = names.map((name) => {
      const lives = new MemberNode(this.world, settingsOf(options), name, names, this.#written, elected);
      return { lives, node: this.world.addNode(name, (platform) => lives.main(platform)), part: 0 };
    });
  }

  get memberNames(): readonly string[] {
    return this.members.map(({ node }) => node.name);
  }

  open(platform: Platform, host: string): RpcChannel {
    return openFramedChannel(platform, { endpoints: [{ host, port: clientPort }] });
  }

  failed(message: string): void {
    this.world.violate('client failed', message);
  }

  get now(): number {
    return this.world.now;
  }

  /** Starts every member, and waits until one leads and all take sessions. */
  boot(): LabMember {
    for (const { node } of this.members) node.start();
    const leader = this.leader();
    this.within('members know each other', kvLimits.agreeMs, () =>
      this.members.every((each) => memberOf(each)?.backend.takesSessions === true),
    );
    return leader;
  }

  // Time.

  sleep(durationMs: number): void {
    this.world.run(durationMs);
    this.#stopIfFailed();
  }

  /** Whether it came true in time. */
  until(durationMs: number, condition: () => boolean): boolean {
    if (condition()) return true;
    this.world.run(durationMs, condition);
    this.#stopIfFailed();
    return condition();
  }

  /** Waits, and measures how long. Fails when it lasts longer than `limitMs`. */
  within(what: string, limitMs: number, condition: () => boolean): void {
    const begin = this.now;
    if (!this.until(limitMs, condition)) {
      this.fail(`${what}: not within ${limitMs} ms; ${this.describe()}`);
    }
    this.measure(what, this.now - begin, limitMs, 'ms');
  }

  /** A whole number in [0, bound). */
  draw(bound: number, label: string): number {
    return this.tape.choose(bound, label);
  }

  pick<T>(list: readonly T[], label: string): T {
    return list[this.draw(list.length, label)] as T;
  }

  // Faults.

  /** Members of `part` hear each other, and the others each other. */
  partition(part: readonly LabMember[]): void {
    for (const member of this.members) member.part = part.includes(member) ? 1 : 0;
    this.#setLinks();
  }

  cut(member: LabMember): void {
    this.partition([member]);
  }

  connectAll(): void {
    this.partition([]);
  }

  crash(member: LabMember): void {
    if (!member.node.running) return;
    this.world.fault('crash', `crash ${member.node.name}: ${member.node.crash()}`);
    member.lives.member = null;
  }

  crashAll(): void {
    for (const member of this.members) this.crash(member);
  }

  restartAll(): void {
    for (const { node } of this.members) node.start();
  }

  // Leaders.

  status(member: LabMember): GroupStatus | null {
    return memberOf(member)?.group.status() ?? null;
  }

  /** Of the members that are not cut off, the one that leads in the highest term; null: none does. */
  findLeader(): LabMember | null {
    let found: LabMember | null = null;
    for (const member of this.members) {
      const status = this.status(member);
      if (member.part !== 0 || status?.role !== 'leader') continue;
      if (found === null || status.term > (this.status(found)?.term ?? 0)) found = member;
    }
    return found;
  }

  leader(): LabMember {
    this.within('leader', this.#leaderMs, () => this.findLeader() !== null);
    return this.findLeader() as LabMember;
  }

  // Clients.

  /** Begins a client; its code runs while the script lets time pass. An error in it fails the run. */
  client(body: (client: KvClient) => Promise<void>): KvClient {
    const client = new KvClient(this, this.clients.length + 1, body);
    this.clients.push(client);
    const node = this.world.addNode(client.name, (platform) => client.main(platform));
    node.start();
    return client;
  }

  /** Lets the code of a client that waits go on. */
  wake(client: KvClient, action: () => void): void {
    this.world.after(0, action, this.world.node(client.name).life);
  }

  /** Every client has come to its end. */
  clientsEnd(limitMs: number = kvLimits.agreeMs): void {
    this.within('clients end', limitMs, () => this.clients.every((client) => client.finished));
  }

  /** One of them has. */
  clientEnds(client: number, limitMs: number = kvLimits.agreeMs): void {
    this.within('client ends', limitMs, () => this.clients[client]?.finished === true);
  }

  // Judgement.

  /** Keeps the worst value of its kind; one over the limit fails the run. */
  measure(what: string, value: number, limit: number, unit: string): void {
    const worst = this.#measures.get(what);
    if (worst === undefined || value > worst.value) this.#measures.set(what, { what, value, limit, unit });
    if (value > limit) this.fail(`${what}: ${value} ${unit}, at most ${limit} allowed; ${this.describe()}`);
  }

  expect(fine: boolean, message: string): void {
    if (!fine) this.fail(`${message}; ${this.describe()}`);
  }

  /** From a client's code, too. */
  fail(message: string): never {
    this.world.violate('threshold', message);
    throw new LabStopped(message);
  }

  /** Live bytes of the member's log on its disk, and the first entry that it still holds. */
  logState(member: LabMember): { readonly bytes: number; readonly first: number } {
    const running = memberOf(member);
    if (running === null) return { bytes: 0, first: 0 };
    return { bytes: running.host.status().log.liveBytes, first: firstIndexOf(running.group) };
  }

  /** Nobody can be brought up to date by entries who has nothing after `index`. */
  hasTrimmed(member: LabMember, index: number): boolean {
    return this.logState(member).first > index + 1;
  }

  /** With everything healed: all members hold the same, and clients have seen one history. */
  finish(): void {
    this.connectAll();
    this.restartAll();
    this.within('equal members', kvLimits.agreeMs, () => this.#agreed());
    const hashes = this.members.map((member) => memberOf(member)?.database.hash().hash ?? -1);
    this.expect(new Set(hashes).size === 1, `members differ: ${hashes.join(', ')}`);
    const { verdict } = checkLinearizability(keyValueModel, this.history.calls);
    if (verdict.outcome !== 'ok') this.world.violate('linearizability', describeVerdict(verdict));
    this.#written.judgeWatches();
    this.#stopIfFailed();
  }

  describe(): string {
    return this.members
      .map((member) => {
        const status = this.status(member);
        if (status === null) return `${member.node.name}: down`;
        const { role, term, leader, commit, applied, lastIndex } = status;
        return `${member.node.name} (part ${member.part}): ${role} term ${term} leader ${leader} commit ${commit} applied ${applied} last ${lastIndex}`;
      })
      .join('; ');
  }

  result(): KvLabResult {
    return { ...resultOf(this.world), measures: [...this.#measures.values()] };
  }

  #agreed(): boolean {
    const leader = this.findLeader();
    const status = leader === null ? null : this.status(leader);
    return (
      status !== null &&
      this.members.every((member) => {
        const other = this.status(member);
        return other !== null && other.applied === status.lastIndex && other.leader === status.leader;
      })
    );
  }

  #elected(term: number, name: string): void {
    const other = this.#leaders.get(term);
    this.#leaders.set(term, name);
    if (other !== undefined && other !== name) {
      this.world.violate('two leaders', `${other} and ${name} both lead term ${term}`);
    }
  }

  #setLinks(): void {
    const { links } = this.world.network;
    links.heal();
    for (const from of this.members) {
      for (const to of this.members) if (from.part !== to.part) links.cut(from.node, to.node);
    }
  }

  #stopIfFailed(): void {
    const { violation } = this.world;
    if (violation !== null) throw new LabStopped(violation.message);
  }
}

/** The running member; null while it is down or starts. */
export function memberOf({ node, lives }: LabMember): Member | null {
  return node.running ? lives.member : null;
}

function settingsOf({
  snapshotEvery = null,
  host,
  heartbeatMs = 100,
  electionMs = 1_000,
}: KvLabOptions): MemberSettings {
  const compacts = snapshotEvery !== null;
  return {
    heartbeatMs,
    electionMs,
    snapshotCount: compacts ? snapshotEvery : 1_000_000,
    host: {
      ...(compacts ? { tailEntries: 0, laggingEntries: 0 } : {}),
      // Small, so that runs do not spend their time on preallocated space.
      logLimits: { segmentBytes: 64 * 1024 },
      ...host,
    },
    commitDelayMs: 1,
    flushDelayMs: 5,
  };
}
