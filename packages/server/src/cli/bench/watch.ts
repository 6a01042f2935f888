import {
  KV,
  PutRequest,
  Watch,
  WatchCreateRequest,
  WatchRequest,
  callUnary,
  openStream,
} from '@flotilla/wire';
import type { ClientStream, RpcChannel, WatchResponse } from '@flotilla/wire';
import { KEY_PREFIX, prefixEnd } from './keys.ts';
import { Measurement, openChannels, pause } from './load.ts';
import { probe } from './put.ts';
import type { BenchReport, BenchSettings } from './settings.ts';

/**
 * Writes one key after the other while `clients` watchers look on, and measures from the start of each write (with a
 * rate: from when it was due) to its event at each watcher. A request is an event that arrived.
 */
export async function benchWatch(settings: BenchSettings): Promise<BenchReport> {
  const channels = await openChannels(settings, probe);
  const watchers = await Promise.all(
    Array.from({ length: settings.clients }, (_, index) =>
      openWatcher(channels[index % channels.length] as RpcChannel),
    ),
  );
  const measurement = new Measurement(settings);
  const writer = new Writer(settings, measurement);
  const receiving = watchers.map((watcher) => receive(watcher, writer));
  await writer.run(channels[0] as RpcChannel);
  await Promise.race([writer.allReceived(settings.clients), pause(LAST_EVENT_MS)]);
  writer.finish();
  const report = { ...measurement.report('watch'), writes: writer.written };
  for (const watcher of watchers) watcher.cancel();
  await Promise.all(receiving);
  for (const channel of channels) channel.close();
  return report;
}

type Watcher = ClientStream<WatchRequest, WatchResponse>;

/** How long events may take to arrive after the last write; those that do not are errors. */
const LAST_EVENT_MS = 5_000;

/** Resolves when the server has taken the watch. */
async function openWatcher(channel: RpcChannel): Promise<Watcher> {
  const stream = openStream(channel, Watch.methods.Watch);
  const value = WatchCreateRequest.create({ key: Buffer.from(KEY_PREFIX, 'latin1'), rangeEnd: prefixEnd() });
  stream.write(WatchRequest.create({ requestUnion: { case: 'createRequest', value } }));
  await stream.read();
  return stream;
}

async function receive(watcher: Watcher, writer: Writer): Promise<void> {
  try {
    for (let response = await watcher.read(); response !== null; response = await watcher.read()) {
      for (const event of response.events) if (event.kv !== null) writer.received(event.kv.value);
    }
  } catch (error) {
    writer.watcherFailed(error);
  }
}

/** Writes numbered values and knows when each was begun. */
class Writer {
  readonly #settings: BenchSettings;
  readonly #measurement: Measurement;
  readonly #begun: number[] = [];
  #received = 0;
  #finished = false;
  #wanted = Number.POSITIVE_INFINITY;
  #resolve: () => void = () => {};

  constructor(settings: BenchSettings, measurement: Measurement) {
    this.#settings = settings;
    this.#measurement = measurement;
  }

  get written(): number {
    return this.#begun.length;
  }

  async run(channel: RpcChannel): Promise<void> {
    const { total, seconds, rate, valueSize } = this.#settings;
    const { startedAt } = this.#measurement;
    const endsAt = startedAt + seconds * 1_000;
    const key = Buffer.from(`${KEY_PREFIX}watched`, 'latin1');
    while (this.#begun.length < total && performance.now() < endsAt) {
      const number = this.#begun.length;
      const dueAt = rate === 0 ? performance.now() : startedAt + (number * 1_000) / rate;
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await pause(waitMs);
      const value = Buffer.alloc(Math.max(valueSize, NUMBER_BYTES));
      value.writeDoubleBE(number);
      this.#begun.push(dueAt);
      try {
        await callUnary(channel, KV.methods.Put, PutRequest.create({ key, value }));
      } catch (error) {
        this.#measurement.failed(error);
      }
    }
  }

  /** Resolves when each of `watchers` has had every event. */
  async allReceived(watchers: number): Promise<void> {
    this.#wanted = watchers * this.#begun.length;
    if (this.#received < this.#wanted) await new Promise<void>((resolve) => (this.#resolve = resolve));
  }

  /** What has not arrived by now counts as failed. */
  finish(): void {
    this.#finished = true;
    for (let missing = this.#wanted - this.#received; missing > 0; missing -= 1) {
      this.#measurement.failed(new Error('an event did not arrive'));
    }
  }

  received(value: Uint8Array): void {
    if (value.length < NUMBER_BYTES) return;
    const number = new DataView(value.buffer, value.byteOffset).getFloat64(0);
    const begunAt = this.#begun[number];
    // Somebody else's write.
    if (begunAt === undefined) return;
    this.#received += 1;
    this.#measurement.succeeded(begunAt);
    if (this.#received >= this.#wanted) this.#resolve();
  }

  watcherFailed(error: unknown): void {
    if (!this.#finished) this.#measurement.failed(error);
  }
}

/** The number of a write, at the start of its value. */
const NUMBER_BYTES = 8;
