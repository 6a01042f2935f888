import type { World } from '@flotilla/sim';
import { RangeRequest } from '@flotilla/wire';
import { bytesOf } from '../cluster/etcd-messages.ts';
import type { MemberNode } from '../cluster/member-node.ts';
import type { LeaseStory } from './lease-client.ts';
import type { Deletion } from './lease-history.ts';

export interface LeaseEvidence {
  readonly world: World;
  readonly stories: readonly LeaseStory[];
  readonly deletions: ReadonlyMap<string, Deletion>;
  /** By how much the clock of a member may run fast. */
  readonly driftFraction: number;
  readonly members: readonly MemberNode[];
}

/** What must hold once every lease is gone. Violations go to the world. */
export function judgeLeases(evidence: LeaseEvidence): void {
  for (const story of evidence.stories) judgeStory(evidence, story);
  sameState(evidence);
}

function judgeStory({ world, deletions, driftFraction, members }: LeaseEvidence, story: LeaseStory): void {
  const { id, ttlMs, kept, attached, freed, revoked } = story;
  const ends = attached.map((key) => deletions.get(key));
  const [end] = ends;
  if (ends.some((other) => other?.revision !== end?.revision)) {
    const at = attached.map((key) => `${key} at ${deletions.get(key)?.revision ?? 'no'} revision`);
    world.violate('lease ended in several revisions', `lease ${id}: ${at.join(', ')}`);
  }
  if (attached.length > 0 && end === undefined) {
    world.violate('lease outlived its time', `the keys of lease ${id} are still there`);
  }
  if (freed !== null && (deletions.has(freed) || !isThere(members, freed))) {
    world.violate('key went with another lease', `${freed} was put without a lease, and is gone`);
  }
  if (end === undefined || revoked) return;
  world.coverage.count('lease expired');
  const lastMs = Math.max(...kept);
  // A member whose clock is fast counts fewer milliseconds of the world.
  const dueMs = lastMs + ttlMs / (1 + driftFraction);
  if (end.timeMs >= dueMs) return;
  world.violate(
    'lease died early',
    `lease ${id} of ${ttlMs} ms was kept alive at ${lastMs.toFixed(1)} ms and died at ${end.timeMs.toFixed(1)} ms`,
  );
}

function isThere(members: readonly MemberNode[], key: string): boolean {
  return members.every(
    ({ member }) => member?.database.range(RangeRequest.create({ key: bytesOf(key) })).count === 1,
  );
}

/** All members have applied the same entries, so all must hold the same. */
function sameState({ world, members }: LeaseEvidence): void {
  const states = members.map(({ name, member }) => {
    const { revision, hash } = member?.database.hash() ?? { revision: -1, hash: 0 };
    return `${name}: revision ${revision}, hash ${hash.toString(16)}`;
  });
  const [first] = states.map((state) => state.slice(state.indexOf(':')));
  if (states.every((state) => state.slice(state.indexOf(':')) === first)) return;
  world.violate('replicas differ', states.join('; '));
}
