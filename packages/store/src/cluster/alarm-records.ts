import type { AlarmMember } from '@flotilla/wire';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { Namespace } from '../system/namespaces.ts';
import { keyOf, type SystemTable } from '../system/system-table.ts';

/** The alarms that are raised: which kind, and on behalf of which member. In the system table alone; there are few. */
export class AlarmRecords {
  readonly #table: SystemTable;

  constructor(table: SystemTable) {
    this.#table = table;
  }

  /** By kind, then by member. */
  all(): AlarmMember[] {
    const alarms: AlarmMember[] = [];
    for (const cursor = this.#table.scan(Namespace.ALARM); cursor.key !== null; cursor.advance()) {
      const reader = new ByteReader(keyOf(cursor.key));
      const alarm = reader.byte();
      alarms.push({ alarm, memberId: BigInt.asUintN(64, reader.bigint64()) });
    }
    return alarms;
  }

  put(alarm: AlarmMember): void {
    this.#table.set(Namespace.ALARM, placeOf(alarm), new Uint8Array(0));
  }

  remove(alarm: AlarmMember): void {
    this.#table.set(Namespace.ALARM, placeOf(alarm), null);
  }
}

function placeOf({ alarm, memberId }: AlarmMember): Uint8Array {
  const writer = new ByteWriter(16);
  writer.byte(alarm);
  writer.bigint64(memberId);
  return writer.take();
}
