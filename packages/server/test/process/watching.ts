import { prefixEnd, type RevisionEvents, type WatchEvent, type WatchRecord } from '@flotilla/check';
import { RpcError, Watch, WatchRequest, openStream, type RpcChannel } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { RecordedWatch } from '../../simulation/cluster/recorded-watch.ts';
import { pause } from './process-cluster.ts';

/** Watches until `isDone` or until the stream ends; rejects when it is cut. */
async function run(
  watch: RecordedWatch,
  channel: RpcChannel,
  isDone: () => boolean,
  onCancel: (cancel: () => void) => void,
): Promise<void> {
  const stream = openStream(channel, Watch.methods.Watch);
  onCancel(() => stream.cancel());
  stream.write(WatchRequest.create({ requestUnion: { case: 'createRequest', value: watch.create() } }));
  while (!isDone()) {
    const response = await stream.read();
    if (response === null) return;
    if (response.canceled) throw new Error(`a watch was canceled: ${response.cancelReason}`);
    watch.take(response);
  }
  stream.cancel();
}

/** Watches a prefix during the faults, through one member after the other, going on where the last watch was cut. */
export class Watcher {
  readonly records: WatchRecord[] = [];
  readonly #name: string;
  readonly #prefix: string;
  readonly #channels: readonly RpcChannel[];
  readonly #running: Promise<void>;
  #stopped = false;
  #cancel: () => void = () => {};

  constructor(name: string, prefix: string, endpoints: readonly string[]) {
    this.#name = name;
    this.#prefix = prefix;
    this.#channels = endpoints.map((endpoint) => openHttp2Channel({ endpoints: [endpoint] }));
    this.#running = this.#run();
    // What went wrong is told by `stop`.
    this.#running.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running;
    for (const channel of this.#channels) channel.close();
  }

  async #run(): Promise<void> {
    let next = 1;
    for (let turn = 0; !this.#stopped; turn += 1) {
      const watch = new RecordedWatch(`${this.#name}, stream ${turn}`, {
        key: this.#prefix,
        rangeEnd: prefixEnd(this.#prefix),
        startRevision: next,
        noPut: false,
        noDelete: false,
        prevKv: true,
      });
      try {
        const channel = this.#channels[turn % this.#channels.length]!;
        await run(
          watch,
          channel,
          () => this.#stopped,
          (cancel) => (this.#cancel = cancel),
        );
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
      }
      if (!this.#stopped) await pause(100);
      const record = watch.record();
      if (record !== null) this.records.push(record);
      next = Math.max(next, watch.latest + 1);
    }
  }
}

/** Everything that was ever written, as one member tells it to a watch from revision 1. */
export async function watchEverything(
  name: string,
  channel: RpcChannel,
  through: number,
): Promise<WatchRecord> {
  const watch = new RecordedWatch(name, {
    key: '\0',
    rangeEnd: '\0',
    startRevision: 1,
    noPut: false,
    noDelete: false,
    prevKv: true,
  });
  let cancel = (): void => {};
  const timer = setTimeout(() => cancel(), watchEverythingMs);
  try {
    await run(
      watch,
      channel,
      () => watch.latest >= through,
      (how) => (cancel = how),
    );
  } catch (error) {
    throw new Error(`${name} came to revision ${watch.latest} of ${through}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
  const record = watch.record(through);
  if (record === null) throw new Error(`${name} was never created`);
  return record;
}

const watchEverythingMs = 60_000;

/** The order of writes that a watch from revision 1 shows. */
export function writtenOrder(record: WatchRecord): RevisionEvents[] {
  const order: { revision: number; events: WatchEvent[] }[] = [];
  for (const event of record.responses.flatMap((response) => response.events)) {
    const revision = event.type === 'put' ? event.kv.modRevision : event.modRevision;
    const last = order.at(-1);
    if (last?.revision === revision) last.events.push(event);
    else order.push({ revision, events: [event] });
  }
  return order;
}
