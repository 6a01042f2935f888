import {
  type ClientStream,
  openStream,
  RpcError,
  Watch,
  WatchCreateRequest,
  type WatchRequest,
  type WatchResponse,
} from '@flotilla/wire';
import type { Door } from './administration.ts';

/** What it has seen that must not be. */
export interface WitnessReport {
  readonly revisions: number;
  readonly violations: readonly string[];
}

/**
 * Watches all keys, and sees that every revision has events, one after the other: there is none that nothing has written.
 * What compaction has taken away before it was told is not missed.
 */
export class Witness {
  readonly #doors: readonly Door[];
  readonly #see: (key: Uint8Array) => void;
  readonly #violations: string[] = [];
  readonly #ended: Promise<void>;
  #stream: ClientStream<WatchRequest, WatchResponse> | null = null;
  #stopped = false;
  #revision: number;
  #seen = 0;
  #turn = 0;

  /** `revision`: of what there is when it begins. */
  constructor(doors: readonly Door[], revision: number, see: (key: Uint8Array) => void) {
    this.#doors = doors;
    this.#revision = revision;
    this.#see = see;
    this.#ended = this.#run();
  }

  async stop(): Promise<WitnessReport> {
    this.#stopped = true;
    this.#stream?.cancel();
    await this.#ended;
    return { revisions: this.#seen, violations: this.#violations };
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#watch();
      } catch (error) {
        // A node that was stopped, or whom nobody may ask.
        if (!(error instanceof RpcError)) throw error;
      }
      if (!this.#stopped) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  async #watch(): Promise<void> {
    this.#turn += 1;
    const door = this.#doors[this.#turn % this.#doors.length]?.();
    if (door === undefined || door === null) return;
    const { channel, token } = door;
    const stream = openStream(channel, Watch.methods.Watch, token === null ? {} : { metadata: { token } });
    this.#stream = stream;
    const value = WatchCreateRequest.create({
      key: Uint8Array.of(0),
      rangeEnd: Uint8Array.of(0),
      startRevision: this.#revision + 1,
    });
    stream.write({ requestUnion: { case: 'createRequest', value } });
    try {
      for (let response = await stream.read(); response !== null; response = await stream.read()) {
        this.#take(response);
        if (response.canceled) return;
      }
    } finally {
      stream.cancel();
    }
  }

  #take({ events, canceled, compactRevision }: WatchResponse): void {
    if (canceled && compactRevision > this.#revision + 1) this.#revision = compactRevision - 1;
    for (const { kv } of events) {
      if (kv === null) continue;
      const { modRevision } = kv;
      this.#see(kv.key);
      if (modRevision === this.#revision + 1) this.#seen += 1;
      else if (modRevision !== this.#revision) {
        this.#violations.push(`an event of revision ${modRevision} came after one of ${this.#revision}`);
      }
      this.#revision = modRevision;
    }
  }
}

const AGAIN_MS = 50;
