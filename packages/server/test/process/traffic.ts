import {
  History,
  deleteRange,
  prefixEnd,
  put,
  range,
  type EtcdRequest,
  type EtcdResponse,
} from '@flotilla/check';
import { seededRandom, type Random } from '@flotilla/platform';
import { RpcError, Status, etcdErrors, type RpcChannel } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { call } from '../../simulation/cluster/client.ts';
import { pause } from './process-cluster.ts';

export type EtcdHistory = History<EtcdRequest, EtcdResponse>;

export function newHistory(): EtcdHistory {
  return new History(() => performance.now());
}

/** Between two requests of one client, in milliseconds. */
const thinkMs = 10;
/** After a failure: the member may be dead, the next one is asked. */
const failurePauseMs = 50;
const requestTimeoutMs = 3_000;
/** Faults are over then: only a member that has stopped gives no answer. */
const lastReadMs = 60_000;
/** None of those of {@link Traffic}. */
const lastClient = 999;

/** Clients that write and read through all members until they are stopped. */
export class Traffic {
  readonly #history: EtcdHistory;
  readonly #endpoints: readonly string[];
  readonly #known: Knowledge = { revision: 1, modRevisions: new Map() };
  readonly #running: Promise<void>[];
  #answered = 0;
  #stopped = false;

  constructor(history: EtcdHistory, endpoints: readonly string[], clients: number, seed: number) {
    this.#history = history;
    this.#endpoints = endpoints;
    const random = seededRandom(seed);
    this.#running = Array.from({ length: clients }, (_, client) =>
      this.#run(client, random.fork(`client ${client}`)),
    );
    // What went wrong is told by `stop`.
    for (const client of this.#running) client.catch(() => (this.#stopped = true));
  }

  /** Resolves when so many requests have been answered, however slow the machine, or a client has ended by itself. */
  async reached(answered: number): Promise<void> {
    while (this.#answered < answered && !this.#stopped) await pause(thinkMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #run(client: number, random: Random): Promise<void> {
    const channels = this.#endpoints.map((endpoint) => openHttp2Channel({ endpoints: [endpoint] }));
    let member = client % channels.length;
    let writes = 0;
    while (!this.#stopped) {
      const request = drawRequest(random, `${client}.${(writes += 1)}`, this.#known);
      const answered = await record(this.#history, client, channels[member]!, request, requestTimeoutMs);
      learn(this.#known, answered);
      if (answered === null) member = (member + 1) % channels.length;
      else this.#answered += 1;
      await pause(answered === null ? failurePauseMs : thinkMs * 2 * random.float());
    }
    for (const channel of channels) channel.close();
  }
}

/**
 * Makes one request and records what became of it; null when there was no answer. An error that is none of those that
 * a cluster under faults may give is thrown: it is a bug.
 */
export async function record(
  history: EtcdHistory,
  client: number,
  channel: RpcChannel,
  request: EtcdRequest,
  timeoutMs: number,
): Promise<EtcdResponse | null> {
  const id = history.call(client, request);
  try {
    const response = await call(channel, request, { timeoutMs });
    history.returned(id, response);
    return response;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    if (error.message === etcdErrors.futureRevision.message) {
      history.returned(id, { type: 'error', error: 'future-revision' });
    } else if (hadNoEffect(error)) {
      history.failed(id, error.message);
    } else if (isUncertain(error)) {
      history.unknown(id, error.message);
    } else {
      throw new Error(`${JSON.stringify(request)} was answered ${error.status} ${error.message}`, {
        cause: error,
      });
    }
    return null;
  }
}

/** Reads all keys at the end of a run, which closes its history, and gives the revision that they were read at. */
export async function readEverything(history: EtcdHistory, channel: RpcChannel): Promise<number> {
  const answer = await record(history, lastClient, channel, range('\0', { rangeEnd: '\0' }), lastReadMs);
  if (answer?.type !== 'range') throw new Error('the last read was not answered');
  return answer.revision;
}

/** Errors after which the request surely was not and will not be applied. The checkers hold the server to it. */
function hadNoEffect(error: RpcError): boolean {
  return (
    error.message === etcdErrors.noLeader.message ||
    error.message === etcdErrors.tooManyRequests.message ||
    error.message === etcdErrors.notSupportedForLearner.message ||
    // The client's own: no connection was made, nothing was sent.
    error.message.startsWith('connection error: ')
  );
}

function isUncertain(error: RpcError): boolean {
  return (
    error.status === Status.UNAVAILABLE ||
    error.status === Status.DEADLINE_EXCEEDED ||
    error.status === Status.CANCELLED
  );
}

/** What all clients have learned, to ask for revisions and guard on ones that exist. */
interface Knowledge {
  revision: number;
  readonly modRevisions: Map<string, number>;
}

function learn(known: Knowledge, response: EtcdResponse | null): void {
  if (response === null || response.type === 'error') return;
  known.revision = Math.max(known.revision, response.revision);
  if (response.type !== 'range') return;
  for (const kv of response.kvs) known.modRevisions.set(kv.key, kv.modRevision);
}

/** Keys `k/…` are written by requests about one key, keys `t/…` by transactions and range deletes too. */
function drawRequest(random: Random, value: string, known: Knowledge): EtcdRequest {
  const key = `k/${String(random.below(20)).padStart(2, '0')}`;
  const shared = `t/${random.below(6)}`;
  const prevKv = random.below(3) === 0;
  const drawn = random.below(100);
  if (drawn < 35) return range(key);
  if (drawn < 63) return put(key, value, { prevKv });
  if (drawn < 68) return deleteRange(key, { prevKv });
  if (drawn < 78) return guardedPut(key, value, known);
  if (drawn < 86) return transaction(shared, `t/${random.below(6)}`, value);
  if (drawn < 88) return deleteRange('t/', { rangeEnd: prefixEnd('t/'), prevKv });
  if (drawn < 92) return range('k/', { rangeEnd: prefixEnd('k/'), limit: random.below(12) });
  if (drawn < 95) return range(key, { serializable: true });
  if (drawn < 97) return range('t/', { rangeEnd: prefixEnd('t/'), serializable: true });
  return range('\0', { rangeEnd: '\0', revision: Math.max(1, known.revision - random.below(50)) });
}

function guardedPut(key: string, value: string, known: Knowledge): EtcdRequest {
  const modRevision = known.modRevisions.get(key) ?? 0;
  return {
    type: 'txn',
    compare: [{ key, rangeEnd: '', result: 'equal', target: { type: 'mod', value: modRevision } }],
    success: [put(key, value)],
    failure: [range(key)],
  };
}

/** Two keys at one revision, or none. */
function transaction(first: string, second: string, value: string): EtcdRequest {
  const others = first === second ? [] : [put(second, value, { prevKv: true })];
  return {
    type: 'txn',
    compare: [
      { key: 't/', rangeEnd: prefixEnd('t/'), result: 'less', target: { type: 'version', value: 5 } },
    ],
    success: [put(first, value), ...others, range('t/', { rangeEnd: prefixEnd('t/') })],
    failure: [deleteRange(first), ...others],
  };
}
