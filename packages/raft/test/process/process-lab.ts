import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../host-cluster.ts';
import { machineTime } from './machine-time.ts';
import { fair, MemberProxy, type Ways } from './member-proxy.ts';
import type { LabMemberOptions, LabQuestion, LabReply, LabState, LabStatus } from './lab-protocol.ts';

/** The labs' thresholds (MIT 6.5840), in milliseconds. */
export const labMs = {
  /** A new leader after a failure. */
  leader: 5_000,
  /** All members that should, have a command. */
  agree: 10_000,
  /** An accepted command has this long to get to everybody before it is proposed anew. */
  attempt: 2_000,
  /** How long to look for something that must not happen. */
  nothing: 2_000,
} as const;

/** A member that runs answers a question about itself within this. */
const answerMs = 2_000;

const program = fileURLToPath(new URL('./lab-member.ts', import.meta.url));

/** One member: a place for a process, which is killed with −9 and started again on the same files. */
export class LabMember {
  readonly id: number;
  readonly directory: string;
  readonly #arguments: string;
  #child: ChildProcess | null = null;
  #calls = 0;
  #paused = false;
  readonly #waiting = new Map<number, (reply: LabReply) => void>();
  stderr = '';

  constructor(options: LabMemberOptions) {
    this.id = options.id;
    this.directory = options.directory;
    this.#arguments = JSON.stringify(options);
  }

  get running(): boolean {
    return this.#child !== null;
  }

  async start(): Promise<void> {
    if (this.#child !== null) return;
    const child = fork(program, [this.#arguments], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    child.stderr?.on(
      'data',
      (chunk: Buffer) => (this.stderr = (this.stderr + chunk.toString()).slice(-10_000)),
    );
    child.on('message', (reply: LabReply) => this.#waiting.get(reply.call)?.(reply));
    child.once('close', () => {
      if (this.#child === child) this.#child = null;
      for (const waiting of this.#waiting.values()) waiting({ call: -1, answer: null, code: 'ended' });
      this.#waiting.clear();
    });
    const { code } = await new Promise<LabReply>((resolve) => this.#waiting.set(0, resolve));
    this.#waiting.delete(0);
    if (code !== null) throw new Error(`n${this.id} did not start:\n${this.stderr}`);
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await closed;
  }

  pause(): void {
    this.#paused = true;
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#paused = false;
    this.#child?.kill('SIGCONT');
  }

  /** Rejects with the error's stable code as its message, with `ended` or `silent` when no answer comes. */
  async ask(question: LabQuestion): Promise<unknown> {
    const child = this.#child;
    if (child === null) throw new Error('ended');
    if (this.#paused) throw new Error('silent');
    const call = (this.#calls += 1);
    const reply = await new Promise<LabReply>((resolve) => {
      this.#waiting.set(call, resolve);
      // A stopped process answers nothing.
      const patienceMs = answerMs + ('timeoutMs' in question ? question.timeoutMs : 0);
      setTimeout(() => resolve({ call, answer: null, code: 'silent' }), patienceMs).unref();
      child.send({ call, question }, (error) => {
        if (error !== null) resolve({ call, answer: null, code: 'ended' });
      });
    });
    this.#waiting.delete(call);
    if (reply.code !== null) throw new Error(reply.code);
    return reply.answer;
  }

  async state(): Promise<LabState> {
    return (await this.ask({ type: 'state' })) as LabState;
  }

  async status(): Promise<LabStatus> {
    return (await this.ask({ type: 'status' })) as LabStatus;
  }
}

/**
 * Members of one group as real processes on real files, with a proxy on every link, in the vocabulary of the labs.
 *
 * Our leaders append a no-op when they are elected, so places are counted among commands, as a client does.
 */
export class ProcessLab implements Ways {
  readonly members: readonly LabMember[];
  weather = fair;
  readonly #directory: string;
  readonly #proxies: MemberProxy[] = [];
  readonly #cut = new Set<number>();
  readonly #silent = new Set<string>();
  readonly #acknowledged = new Map<number, number>();
  #nextValue = 1;

  private constructor(
    directory: string,
    ports: readonly number[],
    proxies: readonly number[],
    every: number,
  ) {
    this.#directory = directory;
    const peers = Object.fromEntries(proxies.map((port, index) => [index + 1, `127.0.0.1:${port}`]));
    this.members = ports.map((port, index) => {
      const listen = `127.0.0.1:${port}`;
      const id = index + 1;
      return new LabMember({ id, directory: join(directory, `n${id}`), peers, listen, snapshotEvery: every });
    });
  }

  static async start(count: number, snapshotEvery = 10_000): Promise<ProcessLab> {
    const ports: number[] = [];
    for (let port = 0; port < 2 * count; port += 1) ports.push(await freePort());
    const [own, known] = [ports.slice(0, count), ports.slice(count)];
    const lab = new ProcessLab(mkdtempSync(join(tmpdir(), 'flotilla-lab-')), own, known, snapshotEvery);
    for (const [index, port] of known.entries()) {
      lab.#proxies.push(await MemberProxy.open(port, index + 1, own[index] as number, lab));
    }
    await Promise.all(lab.members.map((member) => member.start()));
    return lab;
  }

  async remove(): Promise<void> {
    for (const member of this.members) member.resume();
    await Promise.all(this.members.map((member) => member.kill()));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  member(id: number): LabMember {
    const found = this.members[id - 1];
    if (found === undefined) throw new Error(`no member ${id}`);
    return found;
  }

  others(...without: readonly LabMember[]): LabMember[] {
    return this.members.filter((member) => !without.includes(member));
  }

  cut(member: LabMember): void {
    this.#cut.add(member.id);
    for (const proxy of this.#proxies) proxy.reset();
  }

  connect(member: LabMember): void {
    this.#cut.delete(member.id);
  }

  /** One direction of one link carries nothing, and nobody is told. */
  silence(from: LabMember, to: LabMember, silent: boolean): void {
    const way = `${from.id} ${to.id}`;
    if (silent) {
      this.#silent.add(way);
      return;
    }
    this.#silent.delete(way);
    // What was swallowed is missing in the stream, so it cannot go on.
    this.#proxies[to.id - 1]?.reset(from.id);
    this.#proxies[from.id - 1]?.reset(to.id);
  }

  isUp(from: number, to: number): boolean {
    return !this.#cut.has(from) && !this.#cut.has(to);
  }

  isSilent(from: number, to: number): boolean {
    return this.#silent.has(`${from} ${to}`);
  }

  get connected(): LabMember[] {
    return this.members.filter((member) => member.running && !this.#cut.has(member.id));
  }

  /** The connected member that leads, according to itself; never two in one term. */
  async findLeader(): Promise<LabMember | null> {
    const leaders = new Map<number, LabMember>();
    for (const member of this.connected) {
      const status = await member.status().catch(() => null);
      if (status?.role !== 'leader') continue;
      const other = leaders.get(status.term);
      if (other !== undefined)
        throw new Error(`n${other.id} and n${member.id} both lead in term ${status.term}`);
      leaders.set(status.term, member);
    }
    return leaders.get(Math.max(...leaders.keys())) ?? null;
  }

  /** Exactly one leader, whom every connected member knows, within the labs' time. */
  async leader(withinMs: number = labMs.leader): Promise<LabMember> {
    const begin = machineTime();
    for (;;) {
      const leader = await this.findLeader();
      if (leader !== null && (await this.#isKnown(leader))) return leader;
      if (machineTime() - begin > withinMs) throw new Error(`no leader within ${withinMs} ms`);
      await pause(20);
    }
  }

  async #isKnown(leader: LabMember): Promise<boolean> {
    const views = await Promise.all(this.connected.map((member) => member.status().catch(() => null)));
    return views.every((view) => view?.leader === leader.id);
  }

  /** Nobody who is connected leads, after the labs' two seconds. */
  async noLeader(): Promise<void> {
    await pause(labMs.nothing);
    const leader = await this.findLeader();
    if (leader !== null) throw new Error(`n${leader.id} leads without a quorum`);
  }

  newValue(): number {
    return this.#nextValue++;
  }

  /** Proposes at that member. Resolves to the command's place when it is acknowledged; rejects with the error's code. */
  async propose(member: LabMember, value: number, timeoutMs: number = labMs.attempt): Promise<number> {
    const place = (await member.ask({ type: 'propose', value, timeoutMs })) as number;
    this.#acknowledged.set(value, place);
    return place;
  }

  /** Proposes commands that nobody is to hear of: their outcome is looked at later, in the states. */
  proposeInVain(member: LabMember, count: number): number[] {
    const values = Array.from({ length: count }, () => this.newValue());
    for (const value of values) this.propose(member, value).catch(() => undefined);
    return values;
  }

  /** A new command, on `count` members within the labs' ten seconds; proposed anew unless told otherwise. */
  async agree(count: number, options: { readonly once?: boolean } = {}): Promise<number> {
    const begin = machineTime();
    const leftMs = (): number => begin + labMs.agree - machineTime();
    while (leftMs() > 0) {
      const leader = await this.findLeader();
      if (leader === null) {
        await pause(20);
        continue;
      }
      const value = this.newValue();
      const place = await this.propose(leader, value, Math.min(labMs.attempt, leftMs())).catch(() => null);
      if (place !== null && (await this.#heldBy(count, value, Math.min(labMs.attempt, leftMs()))))
        return place;
      if (options.once === true) break;
    }
    throw new Error(`no agreement of ${count} within ${Math.round(machineTime() - begin)} ms`);
  }

  async #heldBy(count: number, value: number, withinMs: number): Promise<boolean> {
    const end = machineTime() + withinMs;
    for (;;) {
      const states = await this.states();
      if (states.filter(({ values }) => values.includes(value)).length >= count) return true;
      if (machineTime() > end) return false;
      await pause(10);
    }
  }

  /** Of the members that run. */
  async states(): Promise<LabState[]> {
    const states = await Promise.all(this.members.map((member) => member.state().catch(() => null)));
    return states.filter((state) => state !== null);
  }

  /** How many of the running members have applied it. */
  async holders(value: number): Promise<number> {
    return (await this.states()).filter(({ values }) => values.includes(value)).length;
  }

  /**
   * What must hold at the end of every scenario: the lists agree as far as both go, no command is in twice, and every
   * acknowledged one is at the place that its answer named.
   */
  async judge(): Promise<void> {
    const states = await this.states();
    const longest = states.reduce((a, b) => (b.values.length > a.values.length ? b : a)).values;
    for (const { values } of states) {
      const differs = values.findIndex((value, index) => value !== longest[index]);
      if (differs >= 0) throw new Error(`two members differ at place ${differs + 1}`);
    }
    if (new Set(longest).size !== longest.length) throw new Error('a command was applied twice');
    for (const [value, place] of this.#acknowledged) {
      if (longest[place - 1] !== value)
        throw new Error(`acknowledged command ${value} is not at place ${place}`);
    }
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
