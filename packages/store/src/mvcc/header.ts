import type { ResponseHeader } from '@flotilla/wire';

/** The part of a response header that the state knows. Who answers, and in which term, the server adds. */
export function header(revision: number): ResponseHeader {
  return { clusterId: 0n, memberId: 0n, revision, raftTerm: 0n };
}
