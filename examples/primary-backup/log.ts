import type { DiskFile, Platform } from '@flotilla/platform';

/** One write: what the log holds and what the primary sends to the backup. */
export interface Entry {
  readonly key: string;
  readonly value: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Entries in a file, a line each with its checksum in front. What was not synced may be lost or torn by a crash. */
export class Log {
  readonly entries: Entry[] = [];
  /** How many of the entries the disk surely has. */
  durable = 0;
  readonly #platform: Platform;
  readonly #file: DiskFile;
  #end = 0;

  private constructor(platform: Platform, file: DiskFile) {
    this.#platform = platform;
    this.#file = file;
  }

  static async open(platform: Platform): Promise<Log> {
    const { disk } = platform;
    const mode = (await disk.exists('log')) ? 'write' : 'create';
    const log = new Log(platform, await disk.open('log', mode));
    await log.#recover();
    await disk.syncDirectory('');
    return log;
  }

  append(entry: Entry): void {
    const line = this.#line(entry);
    this.#file.write(this.#end, line);
    this.#end += line.length;
    this.entries.push(entry);
  }

  /** Afterwards everything that was appended before the call is durable. */
  async sync(): Promise<void> {
    const { length } = this.entries;
    await this.#file.sync();
    this.durable = Math.max(this.durable, length);
  }

  /** Takes in the lines that are whole; behind the first one that is not, nothing counts. */
  async #recover(): Promise<void> {
    const text = decoder.decode(await this.#file.read(0, this.#file.size()));
    for (const line of text.split('\n').slice(0, -1)) {
      const json = line.slice(9);
      if (line.slice(0, 8) !== this.#checksum(json)) break;
      this.entries.push(JSON.parse(json) as Entry);
      this.#end += encoder.encode(line).length + 1;
    }
    await this.#file.truncate(this.#end);
    await this.sync();
  }

  #line(entry: Entry): Uint8Array {
    const json = JSON.stringify(entry);
    return encoder.encode(`${this.#checksum(json)} ${json}\n`);
  }

  #checksum(text: string): string {
    return this.#platform.checksum(encoder.encode(text)).toString(16).padStart(8, '0');
  }
}
