import { appendFileSync } from 'node:fs';
import { seededRandom } from '@flotilla/platform';
import { callUnary, KV, RangeRequest, type RpcChannel, RpcError, Shards, Status } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { Administration, type Door } from './administration.ts';
import { type ChurnCounts, type ChurnKind, Churner } from './churner.ts';
import { KnownKeys, usualKeys } from './known-keys.ts';
import type { Topology } from './topology.ts';
import { Witness } from './witness.ts';

/** What came about while clients worked. */
export interface ChurnReport {
  readonly done: Readonly<Record<ChurnKind, number>>;
  readonly refused: Readonly<Record<string, number>>;
  /** Revisions that were seen to follow each other. */
  readonly revisions: number;
  /** Requests of clients, by kind and whether several shards had their keys. */
  readonly requests: Readonly<Record<string, number>>;
}

export interface ChurningOptions {
  readonly endpoints: readonly string[];
  readonly topology: Topology;
  /** Whether a node serves now. */
  readonly isUp?: (node: number) => boolean;
  /** What says that it is root who asks there; null: auth is off. */
  readonly token?: (node: number) => string | null;
  readonly seed?: number;
}

/** Makes a cluster one of many shards and keeps them moving, with a witness of every revision. */
export class ChurningShards {
  readonly #options: ChurningOptions;
  readonly #channels: readonly RpcChannel[];
  readonly #churner: Churner | null;
  readonly #witness: Witness;

  private constructor(
    options: ChurningOptions,
    channels: readonly RpcChannel[],
    doors: readonly Door[],
    revision: number,
  ) {
    const { topology, seed = 1 } = options;
    this.#options = options;
    this.#channels = channels;
    const random = seededRandom(seed);
    const keys = new KnownKeys(random.fork('keys'));
    this.#witness = new Witness(doors, revision, (key) => keys.see(key));
    const nodes = doors.map((door) => new Administration(door));
    const { shards, keepsOrderLeader } = topology;
    const parts = { nodes, keys, random: random.fork('churn'), shards, keepsOrderLeader };
    this.#churner = topology.churns ? new Churner(parts) : null;
  }

  static async start(options: ChurningOptions): Promise<ChurningShards> {
    const { endpoints, topology, isUp = () => true, token = () => null } = options;
    const channels = endpoints.map((endpoint) => openHttp2Channel({ endpoints: [endpoint] }));
    const doors = channels.map(
      (channel, node): Door =>
        () =>
          isUp(node) ? { channel, token: token(node) } : null,
    );
    const first = new Administration(doors[0] as Door);
    const { shards } = topology;
    const cuts = [...usualKeys].sort((a, b) => Buffer.compare(a, b)).slice(0, shards - 1);
    await patiently(() =>
      first.follow(Shards.methods.Begin, { shards: 0, keys: cuts, replicas: 0 }, START_MS),
    );
    for (;;) {
      const listed = await patiently(() => first.list(START_MS));
      if (listed.shards.every(({ leader }) => leader !== 0)) break;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
    const any = RangeRequest.create({ key: Uint8Array.of(0), countOnly: true });
    const { header } = await callUnary(channels[0] as RpcChannel, KV.methods.Range, any, {
      timeoutMs: START_MS,
    });
    return new ChurningShards(options, channels, doors, header?.revision ?? 1);
  }

  /** Throws when a revision was not dense. Before the members are stopped. */
  async stop(): Promise<ChurnReport> {
    this.#churner?.stop();
    const requests = await this.#requests();
    const { revisions, violations } = await this.#witness.stop();
    for (const channel of this.#channels) channel.close();
    await this.#churner?.ended();
    const counts: ChurnCounts = this.#churner?.counts ?? {
      done: { merge: 0, move: 0, split: 0, transfer: 0 },
      refused: new Map(),
    };
    const report = { done: counts.done, refused: Object.fromEntries(counts.refused), revisions, requests };
    const file = process.env['FLOTILLA_CHURN_REPORT'];
    if (file !== undefined) appendFileSync(file, `${JSON.stringify(report)}\n`);
    if (violations.length > 0)
      throw new Error(`the revisions are not dense: ${violations.slice(0, 5).join('; ')}`);
    return report;
  }

  async #requests(): Promise<Record<string, number>> {
    const sums: Record<string, number> = {};
    const { endpoints, isUp = () => true } = this.#options;
    for (const [node, endpoint] of endpoints.entries()) {
      if (!isUp(node)) continue;
      const text = await fetch(`${endpoint}/metrics`).then(
        (answer) => answer.text(),
        () => '',
      );
      for (const [, kind, shards, value] of text.matchAll(requestsTotal)) {
        const name = `${kind} ${shards}`;
        sums[name] = (sums[name] ?? 0) + Number(value);
      }
    }
    return sums;
  }
}

const requestsTotal = /^flotilla_shard_requests_total\{kind="([a-z-]+)",shards="([a-z]+)"\} (\d+)$/gm;

/** Members may still be finding each other. */
async function patiently<Result>(ask: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      const isDone = error instanceof RpcError && error.message.startsWith('flotilla: already-sharded');
      if (isDone) return undefined as Result;
      if (!(error instanceof RpcError) || error.status !== Status.UNAVAILABLE || attempt === ATTEMPTS)
        throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

const ATTEMPTS = 100;
const START_MS = 60_000;
const AGAIN_MS = 50;
