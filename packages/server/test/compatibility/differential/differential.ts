import type { Difference } from './compare.ts';
import { generate } from './generator.ts';
import { describeOperation, type Operation } from './operations.ts';
import { runPair, type RunResult } from './runner.ts';
import { shrink } from './shrink.ts';

export interface Report extends RunResult {
  /** What to read when there is a difference: the seed, the shortest list found, both answers. */
  readonly failure: string | null;
}

/** Runs the seed's operations; a difference is shrunk and told. */
export async function differential(seed: number, count: number): Promise<Report> {
  const operations = generate(seed, count);
  const result = await runPair(operations);
  if (result.difference === null) return { ...result, failure: null };
  let last: { list: readonly Operation[]; difference: Difference } = {
    list: operations.slice(0, result.difference.at + 1),
    difference: result.difference,
  };
  const list = await shrink(last.list, async (candidate) => {
    const { difference } = await runPair(candidate);
    if (difference === null) return false;
    last = { list: candidate.slice(0, difference.at + 1), difference };
    return true;
  });
  const { difference } = last;
  const lines = list.map(
    (operation, i) => `${i === difference.at ? '>' : ' '} ${describeOperation(operation)}`,
  );
  return {
    ...result,
    failure: [
      `seed ${seed}, operation ${result.difference.at}: ${result.difference.what}`,
      `  etcd:     ${result.difference.etcd}`,
      `  Flotilla: ${result.difference.flotilla}`,
      `shrunk to ${list.length} operations: ${difference.what} after the one marked`,
      `  etcd:     ${difference.etcd}`,
      `  Flotilla: ${difference.flotilla}`,
      ...lines,
    ].join('\n'),
  };
}
