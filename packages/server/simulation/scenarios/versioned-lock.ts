import type { KvClient } from './kv-client.ts';

/** The courses' lock over versioned puts, without sessions. The value is the holder's name, of this try alone; empty: free. */
export class VersionedLock {
  readonly #client: KvClient;
  readonly #key: string;
  #tries = 0;
  #name = '';

  constructor(client: KvClient, key: string) {
    this.#client = client;
    this.#key = key;
  }

  async acquire(): Promise<void> {
    this.#tries += 1;
    this.#name = `${this.#client.name}.${this.#tries}`;
    for (;;) {
      const found = await this.#client.read(this.#key);
      if (found?.value === this.#name) return;
      if (found === null || found.value === '') {
        const outcome = await this.#client.versionedPutOnce(this.#key, this.#name, found?.version ?? 0);
        if (outcome === 'ok') return;
        // Lost the answer, perhaps: the value says whose it is.
        if (outcome === 'maybe') continue;
      }
      await this.#client.sleep(5);
    }
  }

  async release(): Promise<void> {
    for (;;) {
      const found = await this.#client.read(this.#key);
      // Not ours any more: a try that seemed lost has released it.
      if (found?.value !== this.#name) return;
      const outcome = await this.#client.versionedPutOnce(this.#key, '', found.version);
      if (outcome === 'ok') return;
    }
  }
}
