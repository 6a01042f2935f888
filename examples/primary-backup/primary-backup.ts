import type { Platform } from '@flotilla/platform';
import { Lines } from './lines.ts';
import { Log } from './log.ts';
import type { Entry } from './log.ts';

/**
 * A small key-value service: the primary takes writes, the backup takes reads. The primary logs a write, sends it to
 * the backup, and acknowledges it when the backup's disk has it, too; the backup shows what its disk has. So whatever
 * was acknowledged is read from then on, whoever crashes and whatever is cut, and what was read once stays.
 */
export interface Bugs {
  /** The backup confirms and shows what its disk may still lose. */
  readonly confirmsEarly?: boolean;
  /** The backup takes for new whatever it is sent, also what the primary sends again because an answer was lost. */
  readonly appendsAgain?: boolean;
}

const port = 7000;
const hosts = { primary: 'n1', backup: 'n2' } as const;
const retryMs = 100;

/** An entry and its place in the primary's log. */
interface Shipment {
  readonly index: number;
  readonly entry: Entry;
}

export interface Replica {
  readonly role: 'primary' | 'backup';
  readonly log: Log;
}

export async function startReplica(platform: Platform, bugs: Bugs = {}): Promise<Replica> {
  const log = await Log.open(platform);
  const isPrimary = platform.nodeName === hosts.primary;
  const replica = isPrimary ? new Primary(platform, log) : new Backup(platform, log, bugs);
  await replica.start();
  return replica;
}

class Primary implements Replica {
  readonly role = 'primary';
  readonly log: Log;
  readonly #platform: Platform;
  /** How many entries the backup has on its disk; all it is known of after a start is that it may be none. */
  #confirmed = 0;
  #sent = 0;
  #backup: Lines | null = null;
  /** Answers that wait for the backup, with the number of entries it takes. */
  readonly #waiting: { readonly length: number; readonly answer: () => void }[] = [];

  constructor(platform: Platform, log: Log) {
    this.#platform = platform;
    this.log = log;
  }

  async start(): Promise<void> {
    this.#platform.spawn('ship', () => this.#connect());
    await this.#platform.network.listen({ host: '', port }, {}, (connection) => {
      const lines = new Lines(connection, (entry) => {
        this.#platform.spawn('put', () => this.#put(entry as Entry, () => lines.send('ok')));
      });
    });
  }

  async #put(entry: Entry, answer: () => void): Promise<void> {
    this.log.append(entry);
    this.#waiting.push({ length: this.log.entries.length, answer });
    await this.log.sync();
    this.#ship();
  }

  /** Keeps a connection to the backup for as long as the primary lives. */
  async #connect(): Promise<void> {
    for (;;) {
      try {
        const connection = await this.#platform.network.connect(
          { host: hosts.backup, port },
          { timeoutMs: 500 },
        );
        await new Promise<void>((closed) => {
          this.#backup = new Lines(connection, (confirmed) => this.#confirm(confirmed as number), closed);
          // What was under way may have got lost: everything that was not confirmed is sent again.
          this.#sent = this.#confirmed;
          this.#ship();
        });
        this.#backup = null;
      } catch {
        // Nobody is there yet.
      }
      await new Promise<void>((resolve) => {
        this.#platform.timer(retryMs, 'connect again', resolve);
      });
    }
  }

  /** Sends what is durable here and was not sent on this connection. */
  #ship(): void {
    for (; this.#backup !== null && this.#sent < this.log.durable; this.#sent += 1) {
      const entry = this.log.entries[this.#sent];
      if (entry !== undefined) this.#backup.send({ index: this.#sent, entry } satisfies Shipment);
    }
  }

  #confirm(confirmed: number): void {
    this.#confirmed = Math.max(this.#confirmed, confirmed);
    for (let next = this.#waiting[0]; next !== undefined && next.length <= this.#confirmed;) {
      next.answer();
      this.#waiting.shift();
      next = this.#waiting[0];
    }
  }
}

class Backup implements Replica {
  readonly role = 'backup';
  readonly log: Log;
  readonly #platform: Platform;
  readonly #bugs: Bugs;
  /** What readers see. */
  readonly #state = new Map<string, string>();
  #applied = 0;

  constructor(platform: Platform, log: Log, bugs: Bugs) {
    this.#platform = platform;
    this.log = log;
    this.#bugs = bugs;
  }

  async start(): Promise<void> {
    this.#apply(this.log.durable);
    await this.#platform.network.listen({ host: '', port }, {}, (connection) => {
      const lines = new Lines(connection, (message) => {
        const { key } = message as { readonly key?: string };
        if (key !== undefined) lines.send(this.#state.get(key) ?? null);
        else this.#platform.spawn('take', () => this.#take(message as Shipment, lines));
      });
    });
  }

  async #take({ index, entry }: Shipment, primary: Lines): Promise<void> {
    const { log } = this;
    // What comes from a connection that the primary has given up may leave a gap; it comes again on the next one.
    if (index === log.entries.length || this.#bugs.appendsAgain === true) log.append(entry);
    if (this.#bugs.confirmsEarly === true) this.#confirm(log.entries.length, primary);
    await log.sync();
    this.#confirm(log.durable, primary);
  }

  #confirm(length: number, primary: Lines): void {
    this.#apply(length);
    primary.send(length);
  }

  #apply(length: number): void {
    for (; this.#applied < length; this.#applied += 1) {
      const entry = this.log.entries[this.#applied];
      if (entry !== undefined) this.#state.set(entry.key, entry.value);
    }
  }
}

/** Fails when nobody knows what has become of the write. */
export async function put(
  platform: Platform,
  key: string,
  value: string,
): Promise<{ readonly type: 'write' }> {
  await ask(platform, hosts.primary, { key, value } satisfies Entry);
  return { type: 'write' };
}

export async function get(
  platform: Platform,
  key: string,
): Promise<{ readonly type: 'read'; readonly value: string | null }> {
  return { type: 'read', value: (await ask(platform, hosts.backup, { key })) as string | null };
}

async function ask(platform: Platform, host: string, question: unknown): Promise<unknown> {
  const connection = await platform.network.connect({ host, port }, { timeoutMs: 500 });
  return await new Promise((resolve, reject) => {
    const timer = platform.timer(1000, 'give up', () => lines.close());
    const closed = (): void => {
      timer.cancel();
      reject(new Error(`${host} did not answer`));
    };
    const lines = new Lines(
      connection,
      (answer) => {
        resolve(answer);
        lines.close();
      },
      closed,
    );
    lines.send(question);
  });
}
