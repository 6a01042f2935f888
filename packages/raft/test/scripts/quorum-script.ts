import { committedIndex, voteResult } from '../../src/core/quorum.ts';
import { configurationOf } from '../../src/core/configuration.ts';
import type { Configuration, NodeId } from '../../src/core/types.ts';
import type { Directive } from './script-file.ts';

/**
 * Runs `committed` and `vote` of the scripts about quorums and gives the result, which is the last line that they
 * expect (before it stands a bar chart, which is not compared). Each case is also asked in ways that must not change
 * the answer: halves of a joint configuration swapped, a simple one joined with nobody or with itself.
 */
export function runQuorumDirective(directive: Directive): string {
  const voters = idsOf(directive, 'cfg');
  const outgoing = idsOf(directive, 'cfgj');
  const joint = directive.arguments.some(({ key }) => key === 'cfgj');
  const configurations = equivalentConfigurations(voters, outgoing, joint);
  const answers = configurations.map((configuration) => answer(directive, configuration, voters, outgoing));
  return [...new Set(answers)].join(' or ');
}

function answer(
  directive: Directive,
  configuration: Configuration,
  voters: readonly number[],
  outgoing: readonly number[],
): string {
  const ids = [...new Set([...voters, ...outgoing])] as NodeId[];
  if (directive.command === 'committed') {
    const indexes = valuesOf(directive, 'idx', ids.length);
    const members = new Map(
      ids.map((id, at) => [id, { match: indexes[at] === '_' ? 0 : Number(indexes[at]) }] as const),
    );
    const index = committedIndex(configuration, members);
    return index === Infinity ? '∞' : String(index);
  }
  if (directive.command !== 'vote') throw new Error(`unknown command ${directive.command}`);
  const given = valuesOf(directive, 'votes', ids.length);
  const votes = new Map<NodeId, boolean>();
  for (const [at, id] of ids.entries()) if (given[at] !== '_') votes.set(id, given[at] === 'y');
  return { won: 'VoteWon', lost: 'VoteLost', pending: 'VotePending' }[voteResult(configuration, votes)];
}

function equivalentConfigurations(
  voters: readonly number[],
  outgoing: readonly number[],
  joint: boolean,
): readonly Configuration[] {
  const of = (incoming: readonly number[], leaving: readonly number[]): Configuration => ({
    ...configurationOf(incoming),
    votersOutgoing: configurationOf(leaving).voters,
  });
  return joint
    ? [of(voters, outgoing), of(outgoing, voters)]
    : [of(voters, []), of([], voters), of(voters, voters)];
}

function idsOf(directive: Directive, key: string): readonly number[] {
  const values = directive.arguments.find((argument) => argument.key === key)?.values ?? [];
  // `zero` says «joint, with an empty second half», which an empty list could not be told from.
  return values[0] === 'zero' ? [] : values.map(Number);
}

function valuesOf(directive: Directive, key: string, count: number): readonly string[] {
  const values = directive.arguments.find((argument) => argument.key === key)?.values ?? [];
  if (values.length !== count) throw new Error(`${key} gives ${values.length} values for ${count} voters`);
  return values;
}
