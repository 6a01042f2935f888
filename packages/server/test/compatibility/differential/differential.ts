import { ANSWERS_DIFFER, type Difference } from './compare.ts';
import { type Topology, topology as topologyOfTests } from '../../support/sharded/topology.ts';
import { generate } from './generator.ts';
import { describeOperation, type Operation } from './operations.ts';
import { runPair, type RunResult } from './runner.ts';
import { MAX_RUNS, shrink } from './shrink.ts';

export interface Report extends RunResult {
  /** What to read when there is a difference: the seed, the shortest list found, both answers. */
  readonly failure: string | null;
}

/** Runs the seed's operations; a difference is shrunk and told. */
export async function differential(
  seed: number,
  count: number,
  topology: Topology | null = topologyOfTests,
): Promise<Report> {
  const operations = generate(seed, count);
  const result = await runPair(operations, topology);
  if (result.difference === null) return { ...result, failure: null };
  let last: { list: readonly Operation[]; difference: Difference } = {
    list: operations.slice(0, result.difference.at + 1),
    difference: result.difference,
  };
  // Not any difference: a shorter list may well have another one, which is known, or only looks like the first.
  const kind = kindOf(operations, result.difference);
  const fails = async (candidate: readonly Operation[]): Promise<boolean> => {
    const { difference } = await runPair(candidate, topology);
    if (difference === null || kindOf(candidate, difference) !== kind) return false;
    last = { list: candidate.slice(0, difference.at + 1), difference };
    return true;
  };
  // What depends on how shards move at that moment may not come again, and each try takes its time.
  const list = await shrink(last.list, fails, topology === null ? MAX_RUNS : MAX_SHARDED_RUNS);
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

/** What was asked and whether each side refused it, and how. */
function kindOf(operations: readonly Operation[], { at, what, etcd, flotilla }: Difference): string {
  const operation = operations[at] as Operation;
  const asked = operation.kind === 'call' ? operation.method : operation.kind;
  const outcomes = [etcd, flotilla].map((text) => (text.startsWith('{') ? 'an answer' : text));
  return [what.replaceAll(/#\d+/g, ''), what === ANSWERS_DIFFER ? asked : '', ...outcomes].join(', ');
}

const MAX_SHARDED_RUNS = 10;
