import { configurationOf } from './configuration.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { committedIndex, majority, membersOf, voteResult } from './quorum.ts';
import type { VoteResult } from './quorum.ts';
import type { Configuration, NodeId } from './types.ts';

function configuration(voters: readonly number[], outgoing: readonly number[] = []): Configuration {
  return { ...configurationOf(voters), votersOutgoing: configurationOf(outgoing).voters };
}

function matches(rows: Readonly<Record<number, number>>): Map<NodeId, { match: number }> {
  return new Map(Object.entries(rows).map(([id, match]) => [Number(id) as NodeId, { match }]));
}

function votes(rows: Readonly<Record<number, boolean>>): Map<NodeId, boolean> {
  return new Map(Object.entries(rows).map(([id, vote]) => [Number(id) as NodeId, vote]));
}

/** The definition, as slowly as it reads: the largest index that more than half of every set of voters has. */
function naiveCommitted(config: Configuration, members: ReadonlyMap<NodeId, { match: number }>): number {
  const sets = [config.voters, config.votersOutgoing].filter((set) => set.length > 0);
  const candidates = [0, ...[...members.values()].map(({ match }) => match)].sort((a, b) => b - a);
  const held = (set: readonly NodeId[], index: number): boolean =>
    set.filter((id) => (members.get(id)?.match ?? 0) >= index).length * 2 > set.length;
  return candidates.find((index) => sets.every((set) => held(set, index))) ?? 0;
}

function naiveVote(config: Configuration, given: ReadonlyMap<NodeId, boolean>): VoteResult {
  const sets = [config.voters, config.votersOutgoing].filter((set) => set.length > 0);
  const wins = (set: readonly NodeId[], missing: boolean): boolean =>
    set.filter((id) => given.get(id) ?? missing).length * 2 > set.length;
  if (sets.every((set) => wins(set, false))) return 'won';
  return sets.every((set) => wins(set, true)) ? 'pending' : 'lost';
}

const ids = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 7 });
const joint = fc.tuple(ids, fc.oneof(fc.constant([] as number[]), ids));

describe('committed index', () => {
  it.each([
    [[1], { 1: 7 }, 7],
    [[1, 2], { 1: 7, 2: 3 }, 3],
    [[1, 2, 3], { 1: 7, 2: 3, 3: 5 }, 5],
    [[1, 2, 3], { 1: 7 }, 0],
    [[1, 2, 3, 4], { 1: 9, 2: 8, 3: 7, 4: 1 }, 7],
    [[1, 2, 3, 4, 5], { 1: 9, 2: 8, 3: 7, 4: 1, 5: 0 }, 7],
  ])('of voters %j is what a majority has', (voters, rows, expected) => {
    expect(committedIndex(configuration(voters), matches(rows))).toBe(expected);
  });

  it('of a joint configuration needs both halves', () => {
    const members = matches({ 1: 10, 2: 10, 3: 4, 4: 2 });
    expect(committedIndex(configuration([1, 2], [3, 4]), members)).toBe(2);
    expect(committedIndex(configuration([1, 2, 3], [3]), members)).toBe(4);
  });

  it('ignores members that do not vote', () => {
    expect(committedIndex(configuration([1, 2, 3]), matches({ 1: 2, 2: 2, 3: 2, 8: 99, 9: 99 }))).toBe(2);
  });

  it('agrees with the definition, joint or not', () => {
    fc.assert(
      fc.property(
        joint,
        fc.dictionary(fc.integer({ min: 1, max: 9 }).map(String), fc.nat(20)),
        ([a, b], rows) => {
          const config = configuration(a, b);
          expect(committedIndex(config, matches(rows))).toBe(naiveCommitted(config, matches(rows)));
        },
      ),
    );
  });
});

describe('votes', () => {
  it.each<[Readonly<Record<number, boolean>>, VoteResult]>([
    [{}, 'pending'],
    [{ 1: true }, 'pending'],
    [{ 1: true, 2: true }, 'won'],
    [{ 1: true, 2: false }, 'pending'],
    [{ 2: false, 3: false }, 'lost'],
    [{ 1: true, 9: true }, 'pending'],
  ])('%j of three voters are %s', (given, expected) => {
    expect(voteResult(configuration([1, 2, 3]), votes(given))).toBe(expected);
  });

  it('of a joint configuration win in both halves, and lose in either', () => {
    const config = configuration([1, 2, 3], [4, 5, 6]);
    expect(voteResult(config, votes({ 1: true, 2: true }))).toBe('pending');
    expect(voteResult(config, votes({ 1: true, 2: true, 4: true, 5: true }))).toBe('won');
    expect(voteResult(config, votes({ 1: true, 2: true, 4: false, 5: false }))).toBe('lost');
  });

  it('agree with the definition, joint or not', () => {
    fc.assert(
      fc.property(
        joint,
        fc.dictionary(fc.integer({ min: 1, max: 9 }).map(String), fc.boolean()),
        ([a, b], rows) => {
          const config = configuration(a, b);
          expect(voteResult(config, votes(rows))).toBe(naiveVote(config, votes(rows)));
        },
      ),
    );
  });

  it('of two quorums share a voter, in every configuration', () => {
    for (let size = 1; size <= 9; size += 1) expect(2 * majority(size)).toBeGreaterThan(size);
  });
});

describe('members', () => {
  it('are voters of both halves and learners, sorted and once each', () => {
    const config = { ...configuration([3, 1], [2, 1]), learners: [7] as NodeId[] };
    expect(membersOf(config)).toEqual([1, 2, 3, 7]);
  });
});
