import type { MemberRecords } from '@flotilla/store';
import { decodePublication } from './publication.ts';

/** Of members that say nothing of a level: they were built before there was another. */
export const firstLevel = 1;

/** Who counts, and what is known of one that has told nothing of itself yet. */
export interface LevelledMember {
  readonly nodeId: number;
  readonly level: number;
}

/**
 * The highest level of proposals that every present member understands, learners included, as each of them has said
 * through the log. A proposal of a higher one would stop the members that do not: it waits until they are replaced by
 * newer builds. Members that were removed apply nothing any more and do not count.
 *
 * One that was added and has not started yet holds the level where it was when it was added: whoever starts in its place
 * asks for that level first and does not join with less. If it counted for the lowest level, adding a member would take
 * leases and users away from everybody until it has started; if it did not count, the level could rise beyond what it
 * understands while it joins.
 */
export function clusterLevel(members: readonly LevelledMember[], records: MemberRecords): number {
  return Math.min(
    ...members.map(({ nodeId, level }) => {
      const publication = decodePublication(records.get(nodeId));
      return publication === null ? level : (publication.level ?? firstLevel);
    }),
  );
}
