import { FlotillaError, isFlotillaError, messageOf, type Platform } from '@flotilla/platform';
import type { Group } from '@flotilla/raft';
import { type ApplyResult, type Database, encodeMember, encodeProposal, highestLevel } from '@flotilla/store';
import { limits } from '../limits.ts';
import type { DataDirectory } from './data-directory.ts';

/** What a member tells every other one about itself, through the log. */
export interface Publication {
  /** Of the data directory: two processes with one name, or one that lost its data, are told apart by it. */
  readonly instance: string;
  readonly clientUrls: readonly string[];
  /** The highest level of proposals that the member understands; builds before level 2 say nothing. */
  readonly level?: number;
  /** Builds before members could be added say nothing: theirs are in `--initial-cluster`. */
  readonly name?: string;
}

/** Null: nothing is known of that member, or a newer version wrote what this one does not understand. */
export function decodePublication(record: Uint8Array | undefined): Publication | null {
  if (record === undefined) return null;
  const content = JSON.parse(new TextDecoder().decode(record)) as Partial<Publication>;
  if (typeof content.instance !== 'string' || !Array.isArray(content.clientUrls)) return null;
  const { instance, clientUrls, level, name } = content;
  return {
    instance,
    clientUrls,
    ...(typeof level === 'number' ? { level } : {}),
    ...(typeof name === 'string' ? { name } : {}),
  };
}

export interface Publisher {
  readonly platform: Platform;
  readonly directory: DataDirectory;
  readonly clientUrls: readonly string[];
  readonly database: Database;
  readonly group: Group<ApplyResult>;
}

/**
 * Makes this member's publication known, unless it is already. Tries until it is.
 *
 * Rejects with `FLOTILLA_DUPLICATE_MEMBER` when the cluster knows this member from another data directory: a member
 * that has forgotten its votes could elect a second leader. Rejects with `FLOTILLA_STOPPED`.
 */
export async function publish(publisher: Publisher): Promise<void> {
  const { group, database, directory, platform } = publisher;
  const { nodeId, name } = directory.self;
  const own: Publication = {
    instance: directory.instance,
    clientUrls: publisher.clientUrls,
    level: highestLevel,
    name,
  };
  const record = new TextEncoder().encode(JSON.stringify(own));
  for (;;) {
    try {
      await group.readBarrier({ timeoutMs: limits.readinessAttemptMs });
      const known = decodePublication(database.members.get(nodeId));
      if (known !== null && known.instance !== own.instance) {
        throw new FlotillaError(
          'FLOTILLA_DUPLICATE_MEMBER',
          `the cluster knows member ${name} from another data directory: ` +
            'two members have this name, or this one has lost its data',
        );
      }
      if (known !== null && JSON.stringify(known) === JSON.stringify(own)) return;
      const request = encodeMember({ nodeId, record });
      await group.propose(encodeProposal({ kind: 'member', requestId: 0, request }), {
        timeoutMs: limits.publicationMs,
      });
    } catch (error) {
      if (isFlotillaError(error, 'FLOTILLA_DUPLICATE_MEMBER')) throw error;
      if (isFlotillaError(error, 'FLOTILLA_STOPPED') || isFlotillaError(error, 'FLOTILLA_PEER_REMOVED'))
        throw error;
      // No leader yet, or not for long enough: there is nothing to do but to ask again.
      platform.log.debug('not published yet', { error: messageOf(error) });
      await new Promise<void>((resolve) => {
        platform.timer(limits.readinessPauseMs, 'publication-pause', resolve);
      });
    }
  }
}
