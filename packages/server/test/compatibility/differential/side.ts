import {
  Auth,
  callUnary,
  type ClientStream,
  DeleteRangeRequest,
  FilterType,
  KV,
  Lease,
  openStream,
  PutRequest,
  type ResponseHeader,
  type RpcChannel,
  RpcError,
  Status,
  statusName,
  Watch,
  type WatchCreateRequest,
  type WatchRequest,
  type WatchResponse,
} from '@flotilla/wire';
import { PASSWORD } from './generator.ts';
import { methods, type Operation, render, resolve } from './operations.ts';

/** What came of an operation. */
export type Outcome = { readonly error: string } | { readonly response: object };

/** One of the two servers: runs operations, remembers tokens and watches. */
export class Side {
  readonly name: string;
  readonly watches = new Map<number, WatchLog>();
  readonly #channel: RpcChannel;
  readonly #tokens = new Map<string, string>();
  #anonymousStream: WatchStream | null = null;
  #revision = 1;
  #isAuthEnabled = false;

  constructor(name: string, channel: RpcChannel) {
    this.name = name;
    this.#channel = channel;
  }

  run(operation: Operation): Promise<Outcome> {
    return this.#outcome(() => this.#perform(operation));
  }

  /**
   * Makes an event that the watch sees and waits until it has come, or the watch's end: whatever happened before has
   * been delivered then. Answers what the watch has told since the last time. Both sides must do it or neither, also
   * where one has heard of the end already and the other not yet: it writes.
   */
  async settle(slot: number): Promise<readonly string[]> {
    const log = this.watches.get(slot);
    if (log !== undefined) {
      const { key, filters, startRevision } = log.request;
      const touched = key.length === 0 ? new Uint8Array(1) : key;
      do
        await this.#asRoot((options) =>
          callUnary(this.#channel, KV.methods.Put, PutRequest.create({ key: touched }), options),
        );
      while (this.#revision < startRevision);
      if (filters.length > 0) {
        const request = DeleteRangeRequest.create({ key: touched });
        await this.#asRoot((options) => callUnary(this.#channel, KV.methods.DeleteRange, request, options));
      }
      // A watch that sees only puts has seen the put before the deletion.
      await log.reached(filters.includes(FilterType.NODELETE) ? this.#revision - 1 : this.#revision);
    }
    return this.taken(slot);
  }

  hasOpen(slot: number): boolean {
    return this.watches.get(slot)?.end === null;
  }

  taken(slot: number): readonly string[] {
    return this.watches.get(slot)?.take() ?? [];
  }

  async #perform(operation: Operation): Promise<object> {
    switch (operation.kind) {
      case 'call':
        return await this.#call(operation);
      case 'watch':
        return await this.#watch(operation);
      case 'cancel':
        return await this.#cancel(operation.slot);
      case 'keepAlive':
        return await this.#keepAlive(operation.id, operation.as);
    }
  }

  async #call({ method, request, as }: Operation & { kind: 'call' }): Promise<object> {
    const descriptor = methods.get(method);
    if (descriptor === undefined) throw new Error(`no method ${method}`);
    const message = descriptor.request.create(resolve(request, this.#revision));
    const response = await callUnary(this.#channel, descriptor, message, this.#options(as, method));
    if (method.startsWith('KV/')) this.#see(response);
    if (method === 'Lease/LeaseRevoke') this.#see(response);
    if (method === 'Auth/AuthEnable') this.#isAuthEnabled = true;
    if (method === 'Auth/AuthDisable') this.#isAuthEnabled = false;
    if (method === 'Auth/Authenticate') {
      this.#tokens.set((request as { name: string }).name, (response as { token: string }).token);
    }
    return response;
  }

  #see(response: object): void {
    this.#revision = (response as { header: ResponseHeader | null }).header?.revision ?? this.#revision;
  }

  /**
   * A user who never got a token asks without one; a stranger with one that was never given, and so does whoever has
   * none and writes about leases (see `avoided`).
   */
  #options(as: string | null, method = ''): { timeoutMs: number; metadata?: { token: string } } {
    const token = this.#isAuthEnabled ? this.#token(as, method) : undefined;
    return { timeoutMs: CALL_TIMEOUT_MS, ...(token === undefined ? {} : { metadata: { token } }) };
  }

  #token(as: string | null, method: string): string | undefined {
    const own = as === null ? undefined : this.#tokens.get(as);
    const mustHave = method === 'Lease/LeaseGrant' || method === 'Lease/LeaseRevoke';
    return own ?? (as === 'stranger' || mustHave ? 'stranger.1' : undefined);
  }

  async #asRoot<R extends { readonly header: ResponseHeader | null }>(
    call: (options: { timeoutMs: number; metadata?: { token: string } }) => Promise<R>,
  ): Promise<void> {
    if (this.#isAuthEnabled) {
      const { token } = await callUnary(
        this.#channel,
        Auth.methods.Authenticate,
        { name: 'root', password: PASSWORD },
        { timeoutMs: CALL_TIMEOUT_MS },
      );
      this.#see(await call({ timeoutMs: CALL_TIMEOUT_MS, metadata: { token } }));
    } else {
      this.#see(await call({ timeoutMs: CALL_TIMEOUT_MS }));
    }
  }

  async #watch({ slot, request, as }: Operation & { kind: 'watch' }): Promise<object> {
    const { metadata } = this.#options(as);
    const open = (): WatchStream =>
      new WatchStream(
        openStream(this.#channel, Watch.methods.Watch, metadata === undefined ? {} : { metadata }),
      );
    const stream = metadata === undefined ? (this.#anonymousStream ??= open()) : open();
    const resolved = resolve(request, this.#revision);
    const log = new WatchLog(stream, resolved);
    const created = await stream.create(log);
    if (log.end === null) this.watches.set(slot, log);
    return created;
  }

  /** Settled before, so that nothing is lost with it. */
  async #cancel(slot: number): Promise<object> {
    const log = this.watches.get(slot);
    this.watches.delete(slot);
    if (log === undefined) return { none: true };
    if (log.end === null) {
      log.stream.cancel(log.id);
      await log.reached(Infinity);
    }
    return { end: log.end };
  }

  async #keepAlive(id: bigint, as: string | null): Promise<object> {
    const stream = openStream(this.#channel, Lease.methods.LeaseKeepAlive, this.#options(as));
    stream.write({ id });
    try {
      const response = await stream.read();
      if (response === null) throw new RpcError(Status.UNKNOWN, 'the stream ended without an answer');
      return response;
    } finally {
      stream.cancel();
    }
  }

  async #outcome(perform: () => Promise<object>): Promise<Outcome> {
    try {
      return { response: await perform() };
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return { error: `${statusName(error.status)}: ${error.message}` };
    }
  }
}

/** What a watch has told. */
class WatchLog {
  readonly stream: WatchStream;
  readonly request: WatchCreateRequest;
  id = -1;
  /** How it ended; null: it goes on. */
  end: string | null = null;
  #told: string[] = [];
  #revision = 0;
  #wake: (() => void) | null = null;

  constructor(stream: WatchStream, request: WatchCreateRequest) {
    this.stream = stream;
    this.request = request;
  }

  tell(response: WatchResponse): void {
    for (const event of response.events) {
      this.#told.push(render(event));
      this.#revision = event.kv?.modRevision ?? 0;
    }
    if (response.canceled) this.finish(render({ ...response, header: null, watchId: 0, events: [] }));
    this.#wake?.();
  }

  finish(end: string): void {
    this.end ??= end;
    this.#wake?.();
  }

  /** Resolves with the end, too: the caller sees it in what was told. */
  async reached(revision: number): Promise<void> {
    while (this.#revision < revision && this.end === null) {
      const isWoken = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), WATCH_TIMEOUT_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve(true);
        };
      });
      if (!isWoken)
        this.#told.push(
          `nothing came for ${WATCH_TIMEOUT_MS} ms; waited for an event of revision ${revision}`,
        );
      if (!isWoken) return;
    }
  }

  take(): readonly string[] {
    const told = this.#told;
    this.#told = [];
    return this.end === null ? told : [...told, `end ${this.end}`];
  }
}

interface Creating {
  readonly log: WatchLog;
  readonly resolve: (created: object) => void;
  readonly reject: (error: unknown) => void;
}

/** Watches over one call. */
class WatchStream {
  readonly #stream: ClientStream<WatchRequest, WatchResponse>;
  readonly #logs = new Map<number, WatchLog>();
  #creating: Creating | null = null;

  constructor(stream: ClientStream<WatchRequest, WatchResponse>) {
    this.#stream = stream;
    void this.#read();
  }

  create(log: WatchLog): Promise<object> {
    return new Promise((resolve, reject) => {
      this.#creating = { log, resolve, reject };
      this.#stream.write({ requestUnion: { case: 'createRequest', value: log.request } });
    });
  }

  cancel(watchId: number): void {
    this.#stream.write({ requestUnion: { case: 'cancelRequest', value: { watchId } } });
  }

  async #read(): Promise<void> {
    try {
      for (
        let response = await this.#stream.read();
        response !== null;
        response = await this.#stream.read()
      ) {
        this.#take(response);
      }
      this.#finish(new RpcError(Status.UNKNOWN, 'the stream ended'));
    } catch (error) {
      this.#finish(error);
    }
  }

  #take(response: WatchResponse): void {
    if (!response.created) {
      this.#logs.get(response.watchId)?.tell(response);
      return;
    }
    const { log, resolve } = this.#creating as Creating;
    this.#creating = null;
    log.id = response.watchId;
    if (response.canceled) log.tell(response);
    else this.#logs.set(log.id, log);
    resolve(response);
  }

  #finish(error: unknown): void {
    this.#creating?.reject(error);
    this.#creating = null;
    for (const log of this.#logs.values()) log.finish(String(error));
  }
}

/** Far longer than anything takes on a busy machine. */
const CALL_TIMEOUT_MS = 60_000;
const WATCH_TIMEOUT_MS = 20_000;
