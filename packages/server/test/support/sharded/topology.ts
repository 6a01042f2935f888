/** What a test's cluster is made of, whatever the test asks for. */
export interface Topology {
  readonly nodes: number;
  readonly shards: number;
  /** Whether shards are split, merged and moved, and their leaders changed, as long as the cluster is there. */
  readonly churns: boolean;
  /** Shard 0's leader stays, for tests that look at terms, or at which member leads. */
  readonly keepsOrderLeader: boolean;
  /** Whether members give each other, and requests, all the time that a busy machine takes: see {@link patientElections}. */
  readonly isPatient: boolean;
}

/**
 * `FLOTILLA_TOPOLOGY=5x16-churn`: every cluster that a test starts has five nodes and sixteen shards that never keep
 * still; `5x16-churn-led`: all but shard 0's leader; `-patient` after either, for tests that do not look at times. Null:
 * clusters are what the test asks for.
 */
export function topologyOf(text: string | undefined): Topology | null {
  if (text === undefined || text === '') return null;
  const match = /^([1-9])x([1-9][0-9]{0,2})(-churn(-led)?)?(-patient)?$/.exec(text);
  if (match === null)
    throw new Error(`FLOTILLA_TOPOLOGY=${text}: NODESxSHARDS, with -churn or -churn-led, and -patient`);
  return {
    nodes: Number(match[1]),
    shards: Number(match[2]),
    churns: match[3] !== undefined,
    keepsOrderLeader: match[4] !== undefined,
    isPatient: match[5] !== undefined,
  };
}

/**
 * Five members in one process have one processor, and what they do for shards takes its time. For tests that do not look
 * at times: that of requests and the least one of leases go with it.
 */
export const patientElections: Readonly<Record<string, string>> = {
  'heartbeat-interval': '500',
  'election-timeout': '8000',
};

export const topology: Topology | null = topologyOf(process.env['FLOTILLA_TOPOLOGY']);
