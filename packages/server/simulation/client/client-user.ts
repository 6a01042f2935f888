import { Client, EtcdError, op } from '@flotilla/client/core';
import type { Lock, WatchBatch } from '@flotilla/client/core';
import { isFlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import type { World } from '@flotilla/sim';
import { openFramedChannel } from '@flotilla/wire';
import { clientPort } from '../cluster/member-node.ts';

/** One write: its value is written by nobody else, nor ever again. */
export interface ClientWrite {
  readonly value: string;
  readonly outcome: 'done' | 'not executed' | 'unknown';
}

export interface ClientUserOptions {
  readonly world: World;
  readonly number: number;
  readonly memberNames: readonly string[];
  readonly compacts: boolean;
  /** Asked before each step; false ends the work. */
  readonly goesOn: () => boolean;
}

/** A program that uses the client for all that it is for: it writes, counts, locks and watches, all at the same time. */
export class ClientUser {
  readonly writes: ClientWrite[] = [];
  readonly increments: ClientWrite['outcome'][] = [];
  /** What was done under a lock: the lock's revision, and whether the cluster took it. */
  readonly guarded: { readonly fence: number; readonly taken: boolean }[] = [];
  readonly batches: WatchBatch[] = [];
  finished = false;
  readonly #options: ClientUserOptions;
  #working = 0;

  constructor(options: ClientUserOptions) {
    this.#options = options;
  }

  async main(platform: Platform): Promise<void> {
    const client = new Client(worldOf(platform), {
      endpoints: this.#options.memberNames.map((name) => `http://${name}:${clientPort}`),
    });
    await Promise.all([
      this.#watch(client, platform),
      this.#work(platform, () => this.#put(client)),
      this.#work(platform, () => this.#put(client)),
      this.#work(platform, () => this.#increment(client)),
      this.#work(platform, () => this.#lock(client, platform)),
    ]).then(() => client.close());
    this.finished = true;
  }

  async #work(platform: Platform, step: () => Promise<void>): Promise<void> {
    const { world } = this.#options;
    this.#working += 1;
    while (this.#options.goesOn()) {
      await pause(platform, 100 + world.tape.choose(16, 'think time of a client') * 60);
      await step();
    }
    this.#working -= 1;
  }

  /** It writes nothing more. */
  get isIdle(): boolean {
    return this.#working === 0;
  }

  describe(): string {
    const { number } = this.#options;
    return `c${number}: ${this.#working} at work, ${this.batches.at(-1)?.revision ?? 0} watched`;
  }

  async #put(client: Client): Promise<void> {
    const value = `${this.#options.number}.${this.writes.length}`;
    const index = this.writes.push({ value, outcome: 'unknown' }) - 1;
    const outcome = await outcomeOf(client.put(`p/${this.#options.world.tape.choose(4, 'key')}`, value));
    this.writes[index] = { value, outcome };
    this.#options.world.coverage.count(`client: put ${outcome}`);
    const { world, compacts } = this.#options;
    if (!compacts || !world.tape.chance(1, 20, 'compact')) return;
    await client
      .range('p/0')
      .then(({ revision }) => client.compact(revision))
      .catch(expectEtcdError);
  }

  async #increment(client: Client): Promise<void> {
    const index = this.increments.push('unknown') - 1;
    const outcome = await outcomeOf(
      client.stm(async (tx) => {
        tx.put('counter', String(Number((await tx.get('counter'))?.text ?? 0) + 1));
      }),
    );
    this.increments[index] = outcome;
    this.#options.world.coverage.count(`client: increment ${outcome}`);
  }

  async #lock(client: Client, platform: Platform): Promise<void> {
    const { world } = this.#options;
    try {
      const ttlSeconds = 2 + world.tape.choose(3, 'time of a lock');
      const lock = await client.lock('lock', { ttlSeconds, timeoutMs: 5_000 });
      world.coverage.count('client: lock held');
      for (let i = world.tape.choose(3, 'work under a lock'); i >= 0; i -= 1) {
        await this.#guard(client, lock);
        await pause(platform, 100);
      }
      if (lock.signal.aborted) world.coverage.count('client: lock lost');
      await lock.release({ timeoutMs: 2_000 });
    } catch (error) {
      expectEtcdError(error);
    }
  }

  async #guard(client: Client, lock: Lock): Promise<void> {
    const write = client.if(lock.isHeld).do(op.put('guarded', String(lock.revision)));
    const { succeeded } = await write.commit({ timeoutMs: 3_000 });
    this.guarded.push({ fence: lock.revision, taken: succeeded });
    this.#options.world.coverage.count(`client: guarded write ${succeeded ? 'taken' : 'refused'}`);
  }

  /** All that is written, from the beginning; sometimes it is slow to read. */
  async #watch(client: Client, platform: Platform): Promise<void> {
    const { world } = this.#options;
    const bufferedEvents = [1_000, 4][world.tape.choose(2, 'buffer of a watch')] as number;
    const watch = client.watch(
      { prefix: 'p/' },
      { startRevision: 1, compacted: 'skip', bufferedEvents, progress: true },
    );
    for await (const batch of watch) {
      this.batches.push(batch);
      if (batch.lost !== null) world.coverage.count('client: watch lost history');
      if (batch.events.some(({ entry }) => entry.key === 'p/end')) return;
      if (world.tape.chance(1, 16, 'slow reader')) await pause(platform, 1_000);
    }
  }
}

async function outcomeOf(request: Promise<unknown>): Promise<ClientWrite['outcome']> {
  try {
    await request;
    return 'done';
  } catch (error) {
    expectEtcdError(error);
    return error instanceof EtcdError ? error.outcome : 'not executed';
  }
}

/** Anything else is a bug. */
function expectEtcdError(error: unknown): void {
  if (error instanceof EtcdError && error.status !== 2 && error.status !== 13) return;
  if (isFlotillaError(error, 'FLOTILLA_LOCK_LOST') || isFlotillaError(error, 'FLOTILLA_LEASE_LOST')) return;
  if (isFlotillaError(error, 'FLOTILLA_STM_CONFLICT')) return;
  throw error;
}

export function worldOf(platform: Platform): ConstructorParameters<typeof Client>[0] {
  const random = platform.random.fork('names');
  const word = (): string => random.u32().toString(16).padStart(8, '0');
  return {
    platform,
    open: (endpoint) => {
      const { hostname, port } = new URL(endpoint);
      return openFramedChannel(platform, { endpoints: [{ host: hostname, port: Number(port) }] });
    },
    uniqueId: () => word() + word() + word() + word(),
  };
}

function pause(platform: Platform, delayMs: number): Promise<void> {
  return new Promise((resolve) => platform.timer(delayMs, 'pause', resolve));
}
