import { messageOf } from '@flotilla/platform';
import type { Address, Platform } from '@flotilla/platform';
import type { NodeId } from '../core/types.ts';
import { formatAddress, parseAddress } from './address.ts';
import { replicaLimits } from './limits.ts';

/**
 * Where members were when this one last heard of them, in a file: a member that has lost its state, and with it the table
 * of members, must still find somebody who sends it another. A hint, no more: whatever is wrong with it costs nothing but
 * the hint.
 */
export class AddressBook {
  readonly #platform: Platform;
  readonly #directory: string;
  #addresses: ReadonlyMap<NodeId, Address>;
  #writing = false;
  #isStale = false;
  #done: Promise<void> = Promise.resolve();

  private constructor(platform: Platform, directory: string, addresses: ReadonlyMap<NodeId, Address>) {
    this.#platform = platform;
    this.#directory = directory;
    this.#addresses = addresses;
  }

  static async open(platform: Platform, directory: string): Promise<AddressBook> {
    return new AddressBook(platform, directory, await read(platform, pathIn(directory)));
  }

  get(id: NodeId): Address | null {
    return this.#addresses.get(id) ?? null;
  }

  get ids(): readonly NodeId[] {
    return [...this.#addresses.keys()];
  }

  /** Replaces what is known, soon. */
  remember(addresses: ReadonlyMap<NodeId, Address>): void {
    this.#addresses = addresses;
    this.#isStale = true;
    if (!this.#writing) this.#done = this.#write();
  }

  /** Resolves when nothing is written any more. */
  close(): Promise<void> {
    return this.#done;
  }

  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#isStale) {
      this.#isStale = false;
      try {
        await write(this.#platform, this.#directory, this.#addresses);
      } catch (error) {
        this.#platform.log.warn('addresses of members were not written down', { reason: messageOf(error) });
      }
    }
    this.#writing = false;
  }
}

function pathIn(directory: string): string {
  return `${directory}/addresses.json`;
}

async function read(platform: Platform, path: string): Promise<ReadonlyMap<NodeId, Address>> {
  try {
    if (!(await platform.disk.exists(path))) return new Map();
    const file = await platform.disk.open(path, 'read');
    try {
      const text = new TextDecoder().decode(await file.read(0, replicaLimits.identityFileBytes));
      const entries = Object.entries(JSON.parse(text) as Readonly<Record<string, string>>);
      return new Map(entries.map(([id, address]) => [Number(id) as NodeId, parseAddress(address)]));
    } finally {
      await file.close();
    }
  } catch (error) {
    platform.log.warn('the addresses of members cannot be read', { file: path, reason: messageOf(error) });
    return new Map();
  }
}

/** A second file is written and renamed, so that a crash leaves one or the other. */
async function write(
  { disk }: Platform,
  directory: string,
  addresses: ReadonlyMap<NodeId, Address>,
): Promise<void> {
  const temporary = `${pathIn(directory)}.new`;
  if (await disk.exists(temporary)) await disk.unlink(temporary);
  const file = await disk.open(temporary, 'create');
  try {
    const content = Object.fromEntries([...addresses].map(([id, address]) => [id, formatAddress(address)]));
    file.write(0, new TextEncoder().encode(`${JSON.stringify(content, null, 2)}\n`));
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, pathIn(directory));
  await disk.syncDirectory(directory);
}
