import type { ChurnReport } from './churning-shards.ts';

/** Of several clusters, one after the other. */
export function sumOf(reports: readonly ChurnReport[]): ChurnReport {
  return {
    done: added(
      { merge: 0, move: 0, split: 0, transfer: 0 },
      reports.map(({ done }) => done),
    ),
    refused: added(
      {},
      reports.map(({ refused }) => refused),
    ),
    revisions: reports.reduce((sum, { revisions }) => sum + revisions, 0),
    requests: added(
      {},
      reports.map(({ requests }) => requests),
    ),
  };
}

function added<Counts extends Readonly<Record<string, number>>>(
  zero: Counts,
  all: readonly Counts[],
): Counts {
  const sum: Record<string, number> = { ...zero };
  for (const counts of all) {
    for (const [name, value] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + value;
  }
  return sum as Counts;
}
