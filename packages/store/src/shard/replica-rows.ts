import { bytesToString } from '../bytes.ts';
import { ShardRowName, shardRowsOf } from '../node-store/shard-rows.ts';
import type { MetaRow } from '../node-store/store-part.ts';
import type { StoredShard } from '../node-store/stored-shards.ts';
import type { ShardId } from './shard-entry.ts';
import type { ShardMachine } from './shard-machine.ts';
import { ShardPart } from './shard-parts.ts';
import type { ShardRecord } from './shard-snapshot.ts';

/** The rows that a replica has in META: which there are, and which have to be written again. */
export class ReplicaRows {
  readonly #shard: ShardId;
  /** Names of the rows that the machine has. */
  readonly #stored = new Map<string, Uint8Array>();

  constructor(shard: ShardId) {
    this.#shard = shard;
  }

  /** Of what was stored: the records of the machine. */
  opened(rows: StoredShard['rows']): ShardRecord[] {
    const records = rows.filter(({ name }) => (name[0] as number) >= ShardPart.CORE);
    return records.map(({ name, value }) => {
      this.#stored.set(bytesToString(name), name);
      return [name, value] as const;
    });
  }

  row(name: number, value: Uint8Array | null): MetaRow {
    return { key: this.#key(Uint8Array.of(name)), value };
  }

  /** What of the machine is not stored as it is. */
  changed(machine: ShardMachine): MetaRow[] {
    const rows: MetaRow[] = [];
    const everything = this.#stored.size === 0;
    machine.flush((name, value) => {
      if (value === null) this.#stored.delete(bytesToString(name));
      else this.#stored.set(bytesToString(name), name);
      rows.push({ key: this.#key(name), value });
    }, everything);
    // All of it is written now.
    if (everything) machine.flush(() => undefined, false);
    return rows;
  }

  /** Where nothing of it is stored any more. */
  replaced(records: readonly ShardRecord[]): MetaRow[] {
    this.#stored.clear();
    return records.map(([name, value]) => {
      this.#stored.set(bytesToString(name), name);
      return { key: this.#key(name), value };
    });
  }

  /** Takes away everything that is stored of it. */
  get none(): MetaRow[] {
    const own = Object.values(ShardRowName).map((name) => Uint8Array.of(name));
    return [...own, ...this.#stored.values()].map((name) => ({ key: this.#key(name), value: null }));
  }

  #key(name: Uint8Array): Uint8Array {
    const prefix = shardRowsOf(this.#shard);
    const key = new Uint8Array(prefix.length + name.length);
    key.set(prefix);
    key.set(name, prefix.length);
    return key;
  }
}
