import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Address } from '@flotilla/platform';
import {
  Election,
  KV,
  KeyValue,
  LeaderResponse,
  Maintenance,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RpcError,
  Services,
  SnapshotRequest,
  SnapshotResponse,
  Status,
  TxnRequest,
  TxnResponse,
  Watch,
  WatchCreateRequest,
  WatchRequest,
  WatchResponse,
  bidi,
  callUnary,
  etcdErrors,
  openStream,
  serverStream,
  unary,
} from '../src/index.ts';
import type { RpcChannel, RpcServer, RpcServerOptions, ServerCall } from '../src/index.ts';

/** One way to serve and to call. */
export interface Transport {
  readonly name: string;
  serve(options: RpcServerOptions & { readonly address: Address }): Promise<RpcServer>;
  open(endpoints: readonly Address[], options?: { readonly maxReceiveMessageBytes?: number }): RpcChannel;
}

const ANY: Address = { host: '127.0.0.1', port: 0 };
const KEY = new TextEncoder().encode('key');
const MEGABYTE = 1024 * 1024;

/** What every transport must do, whatever carries its bytes. */
export function describeTransport(transport: Transport): void {
  describe(`the ${transport.name} transport`, () => {
    let server: RpcServer;
    let channel: RpcChannel;
    let handlers: Handlers;

    beforeEach(async () => {
      handlers = new Handlers();
      server = await transport.serve({ address: ANY, services: handlers.services });
      channel = transport.open([server.address]);
    });

    afterEach(async () => {
      channel.close();
      handlers.letGo();
      await server.destroy();
    });

    const put = (value: Uint8Array, options = {}): Promise<PutResponse> =>
      callUnary(channel, KV.methods.Put, PutRequest.create({ key: KEY, value }), options);

    test('answers a unary call', async () => {
      const response = await put(Uint8Array.of(1, 2, 3));
      expect(response.prevKv?.value).toEqual(Uint8Array.of(1, 2, 3));
    });

    test('answers an empty message with an empty message', async () => {
      const response = await callUnary(channel, KV.methods.Txn, TxnRequest.create());
      expect(response).toEqual(TxnResponse.create());
    });

    test('carries messages of any size up to the bound, many at a time', async () => {
      const sizes = [0, 1, 16_383, 16_384, 65_535, 65_536, MEGABYTE, 2 * MEGABYTE - 64];
      const values = [...sizes, ...sizes].map((size, index) => new Uint8Array(size).fill(index + 1));
      const responses = await Promise.all(values.map((value) => put(value)));
      responses.forEach((response, index) => {
        expect(Buffer.compare(response.prevKv?.value ?? KEY, values[index] ?? KEY)).toBe(0);
      });
    });

    test('keeps calls apart when they are answered in another order', async () => {
      const calls = Array.from({ length: 200 }, (_, index) => put(Uint8Array.of(index)));
      const responses = await Promise.all(calls.reverse());
      expect(responses.map((response) => response.prevKv?.value[0])).toEqual(
        Array.from({ length: 200 }, (_, index) => 199 - index),
      );
    });

    test('gives the handler the metadata, the path and who calls', async () => {
      await put(KEY, { metadata: { token: 'secret', hasleader: 'true' }, timeoutMs: 5_000 });
      const call = handlers.lastCall;
      expect(call?.metadata['token']).toBe('secret');
      expect(call?.metadata['hasleader']).toBe('true');
      expect(call?.path).toBe('/etcdserverpb.KV/Put');
      expect(call?.peer.remote.host).toBe('127.0.0.1');
      expect(call?.timeoutMs).toBeGreaterThan(3_000);
      expect(call?.timeoutMs).toBeLessThanOrEqual(5_000);
    });

    test('has no time-out when the client set none', async () => {
      await put(KEY);
      expect(handlers.lastCall?.timeoutMs).toBeNull();
    });

    test('fails a call with the status and message that the handler throws', async () => {
      const error = await failure(callUnary(channel, KV.methods.Range, RangeRequest.create({ revision: 1 })));
      expect(error).toMatchObject({ status: Status.OUT_OF_RANGE, message: etcdErrors.compacted.message });
    });

    test('carries any text in a message of failure', async () => {
      const text = 'größer als 100 %\n\u0000\u{1F680} "end"';
      handlers.failWith(new RpcError(Status.ABORTED, text));
      expect(await failure(put(KEY))).toMatchObject({ status: Status.ABORTED, message: text });
    });

    test('answers UNKNOWN for what is no RpcError, and reports it', async () => {
      const reported: unknown[] = [];
      const other = await transport.serve({
        address: ANY,
        services: handlers.services,
        handlerFailed: (error) => reported.push(error),
      });
      const otherChannel = transport.open([other.address]);
      const bug = new TypeError('a bug');
      handlers.failWith(bug);
      const error = await failure(callUnary(otherChannel, KV.methods.Put, PutRequest.create()));
      expect(error).toMatchObject({ status: Status.UNKNOWN, message: 'a bug' });
      expect(reported).toEqual([bug]);
      otherChannel.close();
      await other.destroy();
    });

    test('answers UNIMPLEMENTED for a service and a method that are not there', async () => {
      const unknownMethod = await failure(
        channel.unary('/etcdserverpb.KV/Jump', PutRequest.encodeFrame(PutRequest.create())),
      );
      expect(unknownMethod).toMatchObject({
        status: Status.UNIMPLEMENTED,
        message: 'unknown method Jump for service etcdserverpb.KV',
      });
      const unknownService = await failure(
        channel.unary('/a.B/C', PutRequest.encodeFrame(PutRequest.create())),
      );
      expect(unknownService).toMatchObject({ status: Status.UNIMPLEMENTED, message: 'unknown service a.B' });
    });

    test('answers INTERNAL for a request that is no message of its type', async () => {
      const frame = Uint8Array.of(0, 0, 0, 0, 2, 0x0a, 0x7f);
      const error = await failure(channel.unary(KV.methods.Put.path, frame));
      expect(error.status).toBe(Status.INTERNAL);
      expect(error.message).toMatch(/^grpc: error unmarshalling request/);
    });

    test('refuses a request larger than the bound', async () => {
      const error = await failure(put(new Uint8Array(3 * MEGABYTE)));
      expect(error.status).toBe(Status.RESOURCE_EXHAUSTED);
      expect(error.message).toMatch(/^grpc: received message larger than max \(31457\d\d vs\. 2097152\)$/);
    });

    test('refuses an answer larger than the client takes', async () => {
      const careful = transport.open([server.address], { maxReceiveMessageBytes: 1_000 });
      const request = PutRequest.create({ key: KEY, value: new Uint8Array(2_000) });
      const error = await failure(callUnary(careful, KV.methods.Put, request));
      expect(error.status).toBe(Status.RESOURCE_EXHAUSTED);
      careful.close();
    });

    test('streams from the server, in order, to the end', async () => {
      const stream = openStream(channel, Maintenance.methods.Snapshot);
      stream.write(SnapshotRequest.create());
      stream.end();
      const blobs: number[] = [];
      for (let message = await stream.read(); message !== null; message = await stream.read()) {
        blobs.push(message.blob[0] ?? -1);
      }
      expect(blobs).toEqual(Array.from({ length: 100 }, (_, index) => index));
      expect(await stream.read()).toBeNull();
    });

    test('streams both ways at once', async () => {
      const stream = openStream(channel, Watch.methods.Watch);
      for (let id = 1; id <= 50; id += 1) {
        stream.write(cancelRequest(id));
        expect((await stream.read())?.watchId).toBe(id);
      }
      stream.end();
      expect(await stream.read()).toBeNull();
    });

    test('lets a client write before it has a connection', async () => {
      const stream = openStream(channel, Watch.methods.Watch);
      for (let id = 1; id <= 3; id += 1) stream.write(cancelRequest(id));
      stream.end();
      const ids: (number | undefined)[] = [];
      for (let message = await stream.read(); message !== null; message = await stream.read()) {
        ids.push(message.watchId);
      }
      expect(ids).toEqual([1, 2, 3]);
    });

    test('ends a stream with a failure after its messages', async () => {
      const stream = openStream(channel, Watch.methods.Watch);
      stream.write(cancelRequest(1));
      stream.write(cancelRequest(-1));
      expect((await stream.read())?.watchId).toBe(1);
      expect(await failure(stream.read())).toMatchObject({
        status: Status.UNAVAILABLE,
        message: etcdErrors.noLeader.message,
      });
    });

    test('ends a call at its deadline, on both sides', async () => {
      // A call whose time is over before there is a connection never reaches the server.
      await put(KEY);
      const error = await failure(
        callUnary(
          channel,
          KV.methods.DeleteRange,
          { key: KEY, rangeEnd: KEY, prevKv: false },
          { timeoutMs: 40 },
        ),
      );
      expect(error.status).toBe(Status.DEADLINE_EXCEEDED);
      const reason = await handlers.cancelled();
      expect([Status.DEADLINE_EXCEEDED, Status.CANCELLED]).toContain(reason.status);
    });

    test('tells the server when the client gives up a unary call', async () => {
      const controller = new AbortController();
      const request = { key: KEY, rangeEnd: KEY, prevKv: false };
      const call = callUnary(channel, KV.methods.DeleteRange, request, { signal: controller.signal });
      await handlers.entered();
      controller.abort();
      expect((await failure(call)).status).toBe(Status.CANCELLED);
      expect((await handlers.cancelled()).status).toBe(Status.CANCELLED);
    });

    test('does not start a call whose signal is aborted already', async () => {
      const error = await failure(put(KEY, { signal: AbortSignal.abort() }));
      expect(error.status).toBe(Status.CANCELLED);
      expect(handlers.lastCall).toBeNull();
    });

    test('tells the server when the client gives up a stream', async () => {
      const stream = openStream(channel, Watch.methods.Watch);
      stream.write(cancelRequest(1));
      await stream.read();
      stream.cancel();
      expect((await failure(stream.read())).status).toBe(Status.CANCELLED);
      expect((await handlers.cancelled()).status).toBe(Status.CANCELLED);
    });

    test('fails a server that reads and writes after the client has gone', async () => {
      const stream = openStream(channel, Watch.methods.Watch);
      stream.write(cancelRequest(1));
      await stream.read();
      stream.cancel();
      await handlers.cancelled();
      await pause(0);
      expect(handlers.lastWatchError).toMatchObject({ status: Status.CANCELLED });
    });

    test('holds a server back whose client does not read', async () => {
      const stream = openStream(channel, Election.methods.Observe);
      stream.write({ name: KEY });
      stream.end();
      const blocks = await handlers.held();
      expect(blocks * BLOCK_BYTES).toBeLessThan(FAR_TOO_MUCH_BYTES / 4);
      for (let block = 0; block < blocks; block += 1) expect(await stream.read()).not.toBeNull();
      expect(await stream.read()).toBeNull();
    });

    test('holds a client back whose server does not read', async () => {
      handlers.stopReading();
      const stream = openStream(channel, Watch.methods.Watch);
      const key = new Uint8Array(BLOCK_BYTES);
      const request = WatchRequest.create({
        requestUnion: { case: 'createRequest', value: WatchCreateRequest.create({ key }) },
      });
      let blocks = 0;
      let isHeld = false;
      while (!isHeld && blocks * BLOCK_BYTES < FAR_TOO_MUCH_BYTES) {
        const more = stream.write(request);
        blocks += 1;
        if (!more) isHeld = !(await happensSoon(stream.drained()));
      }
      expect(blocks * BLOCK_BYTES).toBeLessThan(FAR_TOO_MUCH_BYTES / 4);
      handlers.startReading();
      for (let block = 0; block < blocks; block += 1) expect(await stream.read()).not.toBeNull();
      stream.end();
      expect(await stream.read()).toBeNull();
    });

    test('fails the calls under way with UNAVAILABLE when the connection is lost, and comes back', async () => {
      const pending = failure(
        callUnary(channel, KV.methods.DeleteRange, { key: KEY, rangeEnd: KEY, prevKv: false }),
      );
      const stream = openStream(channel, Watch.methods.Watch);
      stream.write(cancelRequest(1));
      await stream.read();
      await handlers.entered();
      await server.destroy();
      expect((await pending).status).toBe(Status.UNAVAILABLE);
      expect((await failure(stream.read())).status).toBe(Status.UNAVAILABLE);
      expect((await failure(put(KEY))).status).toBe(Status.UNAVAILABLE);
      server = await transport.serve({ address: server.address, services: handlers.services });
      expect((await put(KEY)).prevKv?.value).toEqual(KEY);
      expect(channel.state).toBe('ready');
    });

    test('says of a call whether the server can have seen it', async () => {
      const pending = failure(
        callUnary(channel, KV.methods.DeleteRange, { key: KEY, rangeEnd: KEY, prevKv: false }),
      );
      await handlers.entered();
      await server.destroy();
      expect(await pending).toMatchObject({ status: Status.UNAVAILABLE, isUnsent: false });
      expect(await failure(put(KEY))).toMatchObject({ status: Status.UNAVAILABLE, isUnsent: true });
      await expect(channel.ready()).rejects.toMatchObject({ isUnsent: true });
    });

    test('makes a connection before there is a call', async () => {
      expect(channel.state).toBe('idle');
      await channel.ready();
      expect(channel.state).toBe('ready');
    });

    test('cancels the calls of a client whose connection is lost', async () => {
      const call = failure(
        callUnary(channel, KV.methods.DeleteRange, { key: KEY, rangeEnd: KEY, prevKv: false }),
      );
      await handlers.entered();
      channel.close();
      expect((await call).status).toBe(Status.CANCELLED);
      expect((await handlers.cancelled()).status).toBe(Status.CANCELLED);
    });

    test('goes on to the next endpoint when one is down', async () => {
      const down = await transport.serve({ address: ANY, services: handlers.services });
      await down.destroy();
      const failover = transport.open([down.address, server.address]);
      const response = await callUnary(failover, KV.methods.Put, PutRequest.create({ value: KEY }));
      expect(response.prevKv?.value).toEqual(KEY);
      failover.close();
    });

    test('waits for its calls when it is closed, and takes no new ones', async () => {
      const stream = openStream(channel, Watch.methods.Watch);
      stream.write(cancelRequest(1));
      await stream.read();
      let isClosed = false;
      const closing = server.close().then(() => (isClosed = true));
      const late = await failure(retryUntilFailure(() => put(KEY)));
      expect(late.status).toBe(Status.UNAVAILABLE);
      expect(isClosed).toBe(false);
      stream.write(cancelRequest(2));
      expect((await stream.read())?.watchId).toBe(2);
      stream.end();
      expect(await stream.read()).toBeNull();
      await closing;
    });

    test('is idle until it is used, and closed for good', async () => {
      expect(channel.state).toBe('idle');
      await put(KEY);
      expect(channel.state).toBe('ready');
      channel.close();
      expect(channel.state).toBe('closed');
      expect((await failure(put(KEY))).status).toBe(Status.CANCELLED);
    });
  });
}

const BLOCK_BYTES = 64 * 1024;
/** Nobody may queue as much for a reader who does not read. */
const FAR_TOO_MUCH_BYTES = 64 * MEGABYTE;

/** Whether it is done within a time that is long for a loopback. */
async function happensSoon(event: Promise<void>): Promise<boolean> {
  return Promise.race([event.then(() => true), pause(100).then(() => false)]);
}

/** A server whose methods each misbehave, or wait, in one way. */
class Handlers {
  lastCall: ServerCall | null = null;
  lastWatchError: unknown = null;
  #failure: unknown = null;
  readonly #entered = deferred<void>();
  readonly #cancelled = deferred<RpcError>();
  /** How many blocks were written until the transport said stop. */
  readonly #held = deferred<number>();
  readonly #released = deferred<void>();
  #reading: Promise<void> = Promise.resolve();
  #startReading: () => void = () => {};

  readonly services = new Services([
    unary(KV.methods.Put, async (request, call) => {
      this.lastCall = call;
      if (this.#failure !== null) throw this.#failure;
      await Promise.resolve();
      return PutResponse.create({ prevKv: KeyValue.create({ value: request.value.slice() }) });
    }),
    unary(KV.methods.Range, (request) => {
      if (request.revision > 0) throw etcdErrors.compacted;
      return RangeResponse.create({ count: 1 });
    }),
    unary(KV.methods.Txn, (request) => {
      expect(request).toEqual(TxnRequest.create());
      return TxnResponse.create();
    }),
    unary(KV.methods.DeleteRange, async (_request, call) => {
      call.onCancelled((reason) => this.#cancelled.resolve(reason));
      this.#entered.resolve();
      await this.#released.promise;
      return { header: null, deleted: 0, prevKvs: [] };
    }),
    serverStream(Maintenance.methods.Snapshot, async (_request, stream) => {
      for (let index = 0; index < 100; index += 1) {
        const blob = new Uint8Array(10_000).fill(index);
        if (!stream.write(SnapshotResponse.create({ blob }))) await stream.drained();
      }
    }),
    bidi(Watch.methods.Watch, async (stream) => {
      stream.onCancelled((reason) => this.#cancelled.resolve(reason));
      try {
        await this.#reading;
        for (let request = await stream.read(); request !== null; request = await stream.read()) {
          const id = request.requestUnion?.case === 'cancelRequest' ? request.requestUnion.value.watchId : 0;
          if (id < 0) throw etcdErrors.noLeader;
          if (!stream.write(WatchResponse.create({ watchId: id }))) await stream.drained();
        }
      } catch (error) {
        this.lastWatchError = error;
        throw error;
      }
    }),
    serverStream(Election.methods.Observe, async (_request, stream) => {
      const message = LeaderResponse.create({ kv: KeyValue.create({ value: new Uint8Array(BLOCK_BYTES) }) });
      let blocks = 0;
      let isHeld = false;
      while (!isHeld && blocks * BLOCK_BYTES < FAR_TOO_MUCH_BYTES) {
        const more = stream.write(message);
        blocks += 1;
        if (!more) isHeld = !(await happensSoon(stream.drained()));
      }
      this.#held.resolve(blocks);
      await stream.drained();
    }),
  ]);

  failWith(error: unknown): void {
    this.#failure = error;
  }

  stopReading(): void {
    this.#reading = new Promise((resolve) => (this.#startReading = resolve));
  }

  startReading(): void {
    this.#startReading();
  }

  entered(): Promise<void> {
    return this.#entered.promise;
  }

  cancelled(): Promise<RpcError> {
    return this.#cancelled.promise;
  }

  held(): Promise<number> {
    return this.#held.promise;
  }

  letGo(): void {
    this.#released.resolve();
    this.#startReading();
  }
}

function cancelRequest(watchId: number): WatchRequest {
  return WatchRequest.create({ requestUnion: { case: 'cancelRequest', value: { watchId } } });
}

async function failure(call: Promise<unknown>): Promise<RpcError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
  throw new Error('the call succeeded');
}

/** Calls again until one fails: a server's farewell takes its time to arrive. */
async function retryUntilFailure(call: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    await call();
    await pause(10);
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}
