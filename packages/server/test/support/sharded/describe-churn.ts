import type { ChurnReport } from './churning-shards.ts';

/** For people: what happened to shards, and how many requests it concerned. */
export function describeChurn({ done, refused, revisions, requests }: ChurnReport): string {
  const { split, merge, move, transfer } = done;
  const refusals = Object.entries(refused).map(([what, count]) => `${count} ${what}`);
  const crossed = ['txn', 'range', 'delete-range'].map((kind) => `${share(requests, kind)} of ${kind}`);
  return [
    `${split} splits, ${merge} merges, ${move} moves, ${transfer} leaders changed; ${revisions} revisions, each the next`,
    `over several shards: ${crossed.join(', ')}`,
    `refused: ${refusals.length === 0 ? 'none' : refusals.join(', ')}`,
  ].join('\n');
}

/** `31 % (42)`: of how many. */
export function share(requests: ChurnReport['requests'], kind: string): string {
  const several = requests[`${kind} several`] ?? 0;
  const all = several + (requests[`${kind} one`] ?? 0);
  return all === 0 ? '0 % (0)' : `${Math.round((100 * several) / all)} % (${all})`;
}
