import { randomUUID } from 'node:crypto';
import {
  checkLinearizability,
  checkWatches,
  describeVerdict,
  History,
  keyValueModel,
  type KeyValueOperation,
  type KeyValueResult,
  type WatchRecord,
} from '@flotilla/check';
import { type Logger, type Platform, type Random, seededRandom } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { callUnary, HashKVRequest, KV, Maintenance, RangeRequest, type RpcChannel } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { machineTime } from '../../../raft/test/process/machine-time.ts';
import { fair } from '../../../raft/test/process/member-proxy.ts';
import { type ClientWire, reliableWire, unreliableWire } from '../../simulation/scenarios/client-wire.ts';
import { type ClientHome, KvClient } from '../../simulation/scenarios/kv-client.ts';
import type { Measure } from '../../simulation/scenarios/lab-result.ts';
import { type PeerLinks, unreliableWeather } from './peer-links.ts';
import { type MemberProcess, pause, type ProcessCluster } from './process-cluster.ts';
import { watchEverything, writtenOrder } from './watching.ts';

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** What does not come to an end in this time never will. */
const endMs = 300_000;
/** What must come about on a healthy cluster, a busy machine allowed for. */
const settledMs = 30_000;

/** Members as real processes, and clients of the simulated scenarios that speak gRPC to them. */
export class KvProcessLab implements ClientHome {
  readonly cluster: ProcessCluster;
  readonly history = new History<KeyValueOperation, KeyValueResult>(() => performance.now());
  readonly sessionPrefix = `${randomUUID()}.`;
  readonly #measures = new Map<string, Measure>();
  readonly notes: string[] = [];
  wire: ClientWire = reliableWire;
  readonly tape: ClientHome['tape'];
  readonly #platform: Platform;
  /** False: a machine that is busy with other tests says nothing about thresholds of time. */
  readonly #enforcesTimes: boolean;
  readonly #failures: string[] = [];
  #clients = 0;

  constructor(cluster: ProcessCluster, seed: number, enforcesTimes: boolean) {
    this.cluster = cluster;
    this.#enforcesTimes = enforcesTimes;
    const random: Random = seededRandom(seed);
    this.tape = {
      choose: (count) => random.below(count),
      chance: (numerator, denominator) => random.below(denominator) < numerator,
    };
    this.#platform = nodePlatform({
      nodeName: 'clients',
      logger: silent,
      onFatal: (error) => this.failed(error.message),
    });
  }

  get memberNames(): readonly string[] {
    return this.cluster.members.map(({ endpoint }) => endpoint);
  }

  /** What was measured, and of each its worst value. */
  get worst(): readonly Measure[] {
    return [...this.#measures.values()];
  }

  get now(): number {
    return performance.now();
  }

  open(_platform: Platform, endpoint: string): RpcChannel {
    return openHttp2Channel({ endpoints: [endpoint] });
  }

  failed(message: string): void {
    this.#failures.push(message);
  }

  /** Resolves when the client's code has ended, and rejects with what went wrong anywhere. */
  async client(body: (client: KvClient) => Promise<void>): Promise<void> {
    this.#clients += 1;
    const client = new KvClient(this, this.#clients, body);
    await within(endMs, `the end of client ${client.name}`, client.main(this.#platform));
    this.#throwFailure();
  }

  /** The same for several at once. */
  async clients(count: number, body: (client: KvClient, index: number) => Promise<void>): Promise<void> {
    await Promise.all(
      Array.from({ length: count }, (_, index) => this.client((client) => body(client, index))),
    );
  }

  async killAll(): Promise<void> {
    await Promise.all(this.cluster.members.map((member) => this.cluster.kill(member)));
  }

  async restartAll(): Promise<void> {
    await Promise.all(this.cluster.members.map((member) => this.cluster.restart(member)));
  }

  async leader(): Promise<MemberProcess> {
    return await this.cluster.leader(20_000);
  }

  othersThan(member: MemberProcess): MemberProcess[] {
    return this.cluster.members.filter((other) => other !== member);
  }

  sleep(durationMs: number): Promise<void> {
    return pause(durationMs);
  }

  /** The courses' networks, between clients and members and between members. */
  useNetwork(kind: 'reliable' | 'unreliable'): void {
    this.wire = kind === 'reliable' ? reliableWire : unreliableWire;
    this.#links.weather = kind === 'reliable' ? fair : unreliableWeather;
  }

  /** Members of `part` hear each other, and the others each other; clients hear all. */
  partition(part: readonly MemberProcess[]): void {
    this.#links.partition(part.map(({ index }) => index));
  }

  connectAll(): void {
    this.partition([]);
  }

  /** Of a member's page of metrics. */
  async metric(member: MemberProcess, name: string): Promise<number> {
    const page = await (await fetch(`${member.endpoint}/metrics`)).text();
    const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1];
    if (value === undefined) throw new Error(`no metric ${name}`);
    return Number(value);
  }

  /** The log's bytes that are not compacted away, of the member that has most, once they are at most so many. */
  async measureLogs(what: string, limitBytes: number, members = this.cluster.members): Promise<void> {
    const largest = async (): Promise<number> =>
      Math.max(...(await Promise.all(members.map((each) => this.metric(each, 'flotilla_log_live_bytes')))));
    await this.comesTrue(async () => (await largest()) <= limitBytes, 5_000);
    this.measure(what, await largest(), limitBytes, 'B');
  }

  /** Looks until it is so, or the time is over. */
  async comesTrue(condition: () => Promise<boolean>, withinMs = settledMs): Promise<boolean> {
    const end = machineTime() + withinMs;
    while (!(await condition())) {
      if (machineTime() > end) return false;
      await pause(20);
    }
    return true;
  }

  /** For the report. */
  note(text: string): void {
    this.notes.push(text);
  }

  measure(what: string, value: number, limit: number, unit: string): void {
    if (value >= (this.#measures.get(what)?.value ?? -Infinity)) {
      this.#measures.set(what, { what, value, limit, unit });
    }
    if (unit === 'ms' && !this.#enforcesTimes) return;
    this.expect(value <= limit, `${what}: ${Math.round(value)} ${unit}, at most ${limit} allowed`);
  }

  expect(fine: boolean, message: string): void {
    if (!fine) throw new Error(message);
  }

  /**
   * All members hold the same, and everything that clients saw was one history. A checker that cannot tell has failed.
   */
  async judge(): Promise<void> {
    this.#throwFailure();
    let found = '';
    const equal = await this.comesTrue(async () => {
      const hashes = await Promise.all(this.cluster.members.map((member) => hashOf(member)));
      found = hashes.join(', ');
      return hashes.every((hash) => hash !== null && hash === hashes[0]);
    });
    this.expect(equal, `members differ: ${found}`);
    const { verdict } = checkLinearizability(keyValueModel, this.history.calls);
    this.expect(verdict.outcome === 'ok', describeVerdict(verdict));
    await this.#judgeWatches();
  }

  /** Each member tells the whole history to a watch, and all tell the same, as etcd promises. */
  async #judgeWatches(): Promise<void> {
    const { members } = this.cluster;
    const request = RangeRequest.create({ key: Uint8Array.of(0), countOnly: true });
    const revisions = await Promise.all(
      members.map(async ({ channel }) => {
        const { header } = await callUnary(channel, KV.methods.Range, request, { timeoutMs: 10_000 });
        return header?.revision ?? 0;
      }),
    );
    const revision = Math.max(...revisions);
    // Where a scenario has compacted history, there is no whole one to tell.
    const compacted = await this.metric(members[0] as MemberProcess, 'etcd_debugging_mvcc_compact_revision');
    if (revision <= 1 || compacted > 0) return;
    const whole = await Promise.all(
      members.map(({ index, channel }) => watchEverything(`history of n${index + 1}`, channel, revision)),
    );
    const verdict = checkWatches(whole, writtenOrder(whole[0] as WatchRecord));
    this.expect(verdict.outcome === 'ok', describeVerdict(verdict));
  }

  get #links(): PeerLinks {
    const { links } = this.cluster;
    if (links === null) throw new Error('members of this cluster reach each other directly');
    return links;
  }

  #throwFailure(): void {
    const [failure] = this.#failures;
    if (failure !== undefined) throw new Error(failure);
  }
}

async function within<T>(limitMs: number, what: string, task: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([task, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Of every key and revision that a member holds; null: it does not answer. */
async function hashOf({ channel }: MemberProcess): Promise<string | null> {
  try {
    const request = HashKVRequest.create();
    const { header, hash } = await callUnary(channel, Maintenance.methods.HashKV, request, {
      timeoutMs: 2_000,
    });
    return `${hash} at ${header?.revision}`;
  } catch {
    return null;
  }
}
