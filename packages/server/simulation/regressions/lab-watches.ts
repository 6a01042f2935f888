import type { WatchRecord } from '@flotilla/check';
import type { Platform } from '@flotilla/platform';
import {
  openStream,
  RpcError,
  type RpcChannel,
  Watch,
  type WatchCreateRequest,
  WatchRequest,
  type WatchResponse,
} from '@flotilla/wire';
import { RecordedWatch } from '../cluster/recorded-watch.ts';

/** What one watch of a stream asks for. */
export interface WatchPlan extends Partial<
  Pick<WatchCreateRequest, 'startRevision' | 'prevKv' | 'progressNotify' | 'fragment'>
> {
  readonly key: string;
  readonly rangeEnd?: string;
}

/** One of the watches of a stream. */
export interface LabWatch {
  readonly recorded: RecordedWatch;
  /** What ended it. */
  canceled: WatchResponse | null;
  /** Notifications of progress that it was told. */
  progress: number;
  readonly keys: readonly string[];
}

/** A stream of the client with its watches. */
export interface LabStream {
  readonly watches: readonly LabWatch[];
  /** The client takes nothing more from the stream until {@link LabStream.read}. */
  stall(): void;
  read(): void;
  /** Asks how far it is. */
  askProgress(): void;
  close(): void;
  readonly ended: boolean;
}

/** Every watch of a lab's client, for the judges. */
export class LabWatches {
  readonly #open: (member: number) => RpcChannel;
  readonly #recorded: RecordedWatch[] = [];

  constructor(open: (member: number) => RpcChannel) {
    this.#open = open;
  }

  get records(): readonly WatchRecord[] {
    return this.#recorded.flatMap((watch) => watch.record() ?? []);
  }

  open(platform: Platform, member: number, plans: readonly WatchPlan[]): LabStream {
    const channel = this.#open(member);
    const stream = openStream(channel, Watch.methods.Watch);
    const watches = plans.map((plan) => this.#watch(member, plan));
    let wake: (() => void) | null = null;
    let stalled: Promise<void> | null = null;
    let ended = false;
    for (const [index, { recorded }] of watches.entries()) {
      const { progressNotify = false, fragment = false } = plans[index] as WatchPlan;
      const value = recorded.create({ progressNotify, fragment, watchId: index + 1 });
      stream.write(WatchRequest.create({ requestUnion: { case: 'createRequest', value } }));
    }
    platform.spawn('watch', async () => {
      try {
        for (let response = await stream.read(); response !== null; response = await stream.read()) {
          take(watches, response);
          await stalled;
        }
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
      }
      ended = true;
      channel.close();
    });
    return {
      watches,
      stall: () => {
        stalled = new Promise((resolve) => (wake = resolve));
      },
      read: () => {
        stalled = null;
        wake?.();
      },
      askProgress: () =>
        stream.write(WatchRequest.create({ requestUnion: { case: 'progressRequest', value: {} } })),
      close: () => stream.cancel(),
      get ended() {
        return ended;
      },
    };
  }

  #watch(member: number, plan: WatchPlan): LabWatch {
    const { key, rangeEnd = '', startRevision = 0, prevKv = false } = plan;
    const name = `watch ${this.#recorded.length + 1} at n${member + 1} of ${JSON.stringify(key)}`;
    const recorded = new RecordedWatch(name, {
      key,
      rangeEnd,
      startRevision,
      prevKv,
      noPut: false,
      noDelete: false,
    });
    this.#recorded.push(recorded);
    return {
      recorded,
      canceled: null,
      progress: 0,
      get keys() {
        return recorded.responses.flatMap(({ events }) =>
          events.map((event) =>
            event.type === 'put' ? `${event.kv.key}=${event.kv.value}` : `-${event.key}`,
          ),
        );
      },
    };
  }
}

/** An answer to a request for progress is about every watch of the stream. */
function take(watches: readonly LabWatch[], response: WatchResponse): void {
  const addressed = response.watchId === -1 ? watches : [watches[response.watchId - 1] as LabWatch];
  for (const watch of addressed) {
    watch.recorded.take(response);
    if (response.canceled) watch.canceled = response;
    else if (!response.created && response.events.length === 0) watch.progress += 1;
  }
}
