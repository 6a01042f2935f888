import type { MemberRecords } from '@flotilla/store';
import type { MemberIdentity } from './identity.ts';
import { decodePublication } from './publication.ts';

/** Of members that say nothing of a level: they were built before there was another. */
const firstLevel = 1;

/**
 * The highest level of proposals that every member understands, as each of them has said through the log. A proposal
 * of a higher one would stop the members that do not: it waits until they are replaced by newer builds.
 */
export function clusterLevel(members: readonly MemberIdentity[], records: MemberRecords): number {
  return Math.min(
    ...members.map(({ nodeId }) => decodePublication(records.get(nodeId))?.level ?? firstLevel),
  );
}
