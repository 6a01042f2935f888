import { AlarmType } from '@flotilla/wire';

/** As etcd prints it. */
export function alarmName(kind: AlarmType): string {
  return names.get(kind) ?? String(kind);
}

const names: ReadonlyMap<AlarmType, string> = new Map(
  Object.entries(AlarmType).map(([name, kind]) => [kind, name]),
);
