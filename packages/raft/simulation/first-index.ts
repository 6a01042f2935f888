import type { HostedGroup } from '../src/host/hosted-group.ts';
import type { Group } from '../src/host/types.ts';

/** The first entry that a member's log still holds: for tests that say when a log is compacted, and when not. */
export function firstIndexOf<Result>(group: Group<Result>): number {
  return (group as HostedGroup<Result>).view.firstIndex;
}
