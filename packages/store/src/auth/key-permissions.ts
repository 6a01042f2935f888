import { PermissionType } from '@flotilla/wire';
import type { Permission } from '@flotilla/wire';
import { compareBytes } from '../bytes.ts';
import { isEmpty, type KeyRange, keyRange } from '../mvcc/key-range.ts';

export type Access = 'read' | 'write';

/**
 * What the roles of a user allow together, by key: permissions that touch or overlap make one range, so that a
 * request over two of them is allowed, as etcd allows it.
 */
export class KeyPermissions {
  readonly #read: Allowed;
  readonly #write: Allowed;

  constructor(permissions: readonly Permission[]) {
    this.#read = allowed(permissions.filter(({ permType }) => permType !== PermissionType.WRITE));
    this.#write = allowed(permissions.filter(({ permType }) => permType !== PermissionType.READ));
  }

  /** Whether every key of the range may be accessed, those that are not there included. */
  allow(access: Access, range: KeyRange): boolean {
    const { merged, each } = access === 'read' ? this.#read : this.#write;
    // No key at all: etcd wants one permission for all between the end and the beginning.
    if (isEmpty(range)) return each.some((permission) => surrounds(permission, range));
    const candidate = lastAtOrBefore(merged, range.from);
    return candidate !== null && reaches(candidate, range.to);
  }
}

interface Allowed {
  /** Sorted, and with a gap between each two. */
  readonly merged: readonly KeyRange[];
  readonly each: readonly KeyRange[];
}

function allowed(permissions: readonly Permission[]): Allowed {
  const each = permissions
    .map(({ key, rangeEnd }) => keyRange(key, rangeEnd))
    .filter((range) => !isEmpty(range));
  return { merged: merge(each), each };
}

function merge(each: readonly KeyRange[]): KeyRange[] {
  const ranges = [...each].sort((a, b) => compareBytes(a.from, b.from));
  const result: KeyRange[] = [];
  for (const range of ranges) {
    const last = result.at(-1);
    if (last === undefined || (last.to !== null && compareBytes(last.to, range.from) < 0)) {
      result.push({ from: range.from, to: range.to, single: false });
    } else if (!reaches(last, range.to)) {
      result[result.length - 1] = { from: last.from, to: range.to, single: false };
    }
  }
  return result;
}

/** `backwards` ends where it begins, or before. */
function surrounds(permission: KeyRange, backwards: KeyRange): boolean {
  const { from, to } = permission;
  return (
    (backwards.to === null || compareBytes(from, backwards.to) < 0) &&
    (to === null || compareBytes(to, backwards.from) > 0)
  );
}

function reaches(range: KeyRange, end: Uint8Array | null): boolean {
  if (range.to === null) return true;
  return end !== null && compareBytes(range.to, end) >= 0;
}

function lastAtOrBefore(ranges: readonly KeyRange[], key: Uint8Array): KeyRange | null {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes((ranges[middle] as KeyRange).from, key) <= 0) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low - 1];
  // What ends before the key has nothing to do with it, whatever the request's own end is.
  if (range === undefined || (range.to !== null && compareBytes(range.to, key) <= 0)) return null;
  return range;
}
