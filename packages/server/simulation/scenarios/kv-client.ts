import type { History, KeyValueOperation, KeyValueResult } from '@flotilla/check';
import type { Platform } from '@flotilla/platform';
import type { Tape } from '@flotilla/sim';
import {
  callUnary,
  Compare,
  CompareResult,
  CompareTarget,
  etcdErrors,
  KV,
  type KeyValue,
  type Metadata,
  type MethodDescriptor,
  PutRequest,
  type PutResponse,
  RangeRequest,
  type ResponseOp,
  type RpcChannel,
  RpcError,
  Status,
  TxnRequest,
  type TxnResponse,
} from '@flotilla/wire';
import type { ClientWire } from './client-wire.ts';
import { LabStopped } from './lab-stopped.ts';

/** Where a client lives: in a simulated world, or among real processes. */
export interface ClientHome {
  readonly memberNames: readonly string[];
  readonly history: History<KeyValueOperation, KeyValueResult>;
  readonly wire: ClientWire;
  /** Before the names of sessions, which are used once. */
  readonly sessionPrefix: string;
  readonly tape: Pick<Tape, 'choose' | 'chance'>;
  /** To one member. */
  open(platform: Platform, memberName: string): RpcChannel;
  /** What a client did not expect. */
  failed(message: string): void;
}

/** What a key is, as the courses' clients know it. */
export interface Found {
  readonly value: string;
  readonly version: number;
  readonly modRevision: number;
}

type VersionedOutcome = 'ok' | 'version-mismatch' | 'no-key';
/** Some try may have done it: that the version does not fit says nothing. */
type MaybeOutcome = VersionedOutcome | 'maybe';

interface Stamp {
  readonly number: number;
  readonly metadata: Metadata;
}

/** How long one try waits, and how long the client rests before the next. */
const tryMs = 1_000;
const restMs = 20;

/**
 * A client of the courses: it asks one member after the other until there is an answer. Writes carry a session, so a
 * write that was answered at all was executed exactly once; {@link KvClient.versionedPutOnce} is the way without one.
 */
export class KvClient {
  readonly name: string;
  readonly number: number;
  finished = false;
  /** For scripts that count. */
  written = 0;
  /** Which member it asks first; it goes on with the next one after each failure. */
  member: number;
  readonly #home: ClientHome;
  readonly #body: (client: KvClient) => Promise<void>;
  #platform: Platform | null = null;
  #channels: readonly RpcChannel[] = [];
  #lastNumber = 0;
  #done = 0;
  readonly #answered = new Set<number>();

  constructor(home: ClientHome, number: number, body: (client: KvClient) => Promise<void>) {
    this.#home = home;
    this.#body = body;
    this.number = number;
    this.name = `c${number}`;
    this.member = number % home.memberNames.length;
  }

  async main(platform: Platform): Promise<void> {
    this.#platform = platform;
    this.#channels = this.#home.memberNames.map((name) => this.#home.open(platform, name));
    try {
      await this.#body(this);
    } catch (error) {
      if (error instanceof LabStopped) return;
      this.#home.failed(`${this.name}: ${String((error as Error).stack)}`);
    }
    for (const channel of this.#channels) channel.close();
    this.finished = true;
  }

  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      (this.#platform as Platform).timer(durationMs, 'client rests', resolve);
    });
  }

  // Operations that are in the history, and so are judged.

  async get(key: string): Promise<Found | null> {
    return await this.#recorded({ type: 'get', key }, async () => {
      const found = await this.read(key);
      const result = { type: 'get' as const, value: found?.value ?? null, version: found?.version ?? 0 };
      return { result, answer: found };
    });
  }

  async put(key: string, value: string): Promise<PutResponse> {
    return await this.#recorded({ type: 'put', key, value }, async () => {
      const request = PutRequest.create({ key: bytesOf(key), value: bytesOf(value), prevKv: true });
      return { result: { type: 'put' }, answer: await this.write(KV.methods.Put, request) };
    });
  }

  /** Writes only when the key has this version; 0: when it is absent. */
  async versionedPut(key: string, value: string, version: number): Promise<VersionedOutcome> {
    return await this.#recorded({ type: 'versioned-put', key, value, version }, async () => {
      const status = statusOf(await this.write(KV.methods.Txn, versionedPutMessage(key, value, version)));
      return { result: { type: 'versioned-put', status }, answer: status };
    });
  }

  /** The same without a session, as the courses' clients do it: not in the history. */
  async versionedPutOnce(key: string, value: string, version: number): Promise<MaybeOutcome> {
    const request = versionedPutMessage(key, value, version);
    for (let attempt = 1; ; attempt += 1) {
      const response = await this.attempt(KV.methods.Txn, request);
      if (response === null) {
        this.#next();
        continue;
      }
      const status = statusOf(response);
      return status === 'version-mismatch' && attempt > 1 ? 'maybe' : status;
    }
  }

  /** By compare-and-set until it succeeds. */
  async append(key: string, text: string): Promise<void> {
    for (;;) {
      const found = await this.get(key);
      const outcome = await this.versionedPut(key, (found?.value ?? '') + text, found?.version ?? 0);
      if (outcome === 'ok') return;
    }
  }

  // Operations that are not.

  /** Linearizable. Asked until there is an answer. */
  async read(key: string): Promise<Found | null> {
    for (;;) {
      const response = await this.attempt(KV.methods.Range, RangeRequest.create({ key: bytesOf(key) }));
      if (response !== null) return foundIn(response.kvs);
      this.#next();
    }
  }

  /** With a session, and so exactly once. */
  async write<Request, Response>(
    method: MethodDescriptor<Request, Response, 'unary'>,
    request: Request,
  ): Promise<Response> {
    const stamp = this.stamp();
    for (;;) {
      const response = await this.attempt(method, request, stamp.metadata);
      if (response !== null) {
        this.settled(stamp);
        return response;
      }
      this.#next();
    }
  }

  /** The next number of the session. The same stamp again is the same request again. */
  stamp(): Stamp {
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    return {
      number,
      metadata: {
        'flotilla-session': `${this.#home.sessionPrefix}${this.name}`,
        'flotilla-request': String(number),
        'flotilla-done': String(this.#done),
      },
    };
  }

  /** The reply has arrived. */
  settled({ number }: Stamp): void {
    this.#answered.add(number);
    while (this.#answered.delete(this.#done + 1)) this.#done += 1;
  }

  /** One try; null: nobody knows. Refusals other than «not now» are thrown. */
  attempt<Request, Response>(
    method: MethodDescriptor<Request, Response, 'unary'>,
    request: Request,
    metadata: Metadata = {},
    timeoutMs: number = tryMs,
  ): Promise<Response | null> {
    return this.attemptAt(this.member, method, request, metadata, timeoutMs);
  }

  async attemptAt<Request, Response>(
    member: number,
    method: MethodDescriptor<Request, Response, 'unary'>,
    request: Request,
    metadata: Metadata,
    timeoutMs: number,
  ): Promise<Response | null> {
    const { wire, tape } = this.#home;
    await this.#delay(tape.choose(wire.delayMaxMs + 1, 'delay of a request'));
    if (tape.chance(wire.lossPerMille, 1000, 'lose a request')) return await this.#lost();
    const channel = this.#channels[member] as RpcChannel;
    try {
      const response = await callUnary(channel, method, request, { timeoutMs, metadata });
      await this.#delay(tape.choose(wire.delayMaxMs + 1, 'delay of an answer'));
      return tape.chance(wire.lossPerMille, 1000, 'lose an answer') ? await this.#lost() : response;
    } catch (error) {
      if (isNotNow(error)) return await this.#lost();
      throw error;
    }
  }

  /** What fails at once must take some time all the same, or time would stand still. */
  async #lost(): Promise<null> {
    await this.sleep(restMs);
    return null;
  }

  #next(): void {
    this.member = (this.member + 1) % this.#channels.length;
  }

  async #delay(delayMs: number): Promise<void> {
    if (delayMs > 0) await this.sleep(delayMs);
  }

  async #recorded<Answer>(
    operation: KeyValueOperation,
    perform: () => Promise<{ readonly result: KeyValueResult; readonly answer: Answer }>,
  ): Promise<Answer> {
    const { history } = this.#home;
    const id = history.call(this.number, operation);
    const { result, answer } = await perform();
    history.returned(id, result);
    return answer;
  }
}

export function versionedPutMessage(key: string, value: string, version: number): TxnRequest {
  const range = RangeRequest.create({ key: bytesOf(key) });
  return TxnRequest.create({
    compare: [
      Compare.create({
        key: bytesOf(key),
        target: CompareTarget.VERSION,
        result: CompareResult.EQUAL,
        targetUnion: { case: 'version', value: version },
      }),
    ],
    success: [
      {
        request: {
          case: 'requestPut',
          value: PutRequest.create({ key: bytesOf(key), value: bytesOf(value) }),
        },
      },
    ],
    failure: [{ request: { case: 'requestRange', value: range } }],
  });
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function statusOf(response: TxnResponse): VersionedOutcome {
  if (response.succeeded) return 'ok';
  return foundInResponse(response.responses[0]) === null ? 'no-key' : 'version-mismatch';
}

function foundInResponse(response: ResponseOp | undefined): Found | null {
  return response?.response?.case === 'responseRange' ? foundIn(response.response.value.kvs) : null;
}

function foundIn([kv]: readonly KeyValue[]): Found | null {
  if (kv === undefined) return null;
  return { value: new TextDecoder().decode(kv.value), version: kv.version, modRevision: kv.modRevision };
}

/** After these the same may be tried again: whether it had an effect is the session's to know. */
function isNotNow(error: unknown): boolean {
  if (!(error instanceof RpcError)) return false;
  return notNow.includes(error.status) || error.message === etcdErrors.notCapable.message;
}

const notNow: readonly number[] = [
  Status.UNAVAILABLE,
  Status.DEADLINE_EXCEEDED,
  Status.CANCELLED,
  Status.RESOURCE_EXHAUSTED,
];
