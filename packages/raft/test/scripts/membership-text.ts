import type { MembershipOperation, MembershipStep, NodeId } from '../../src/core/types.ts';

const operations: Readonly<Record<string, MembershipOperation>> = {
  v: 'add-voter',
  l: 'add-learner',
  r: 'remove',
  u: 'update',
};

/** Reads `v1 l2 r3 u4`: add a voter, add a learner, remove, update. */
export function parseSteps(text: string): readonly MembershipStep[] {
  const words = text
    .trim()
    .split(/\s+/u)
    .filter((word) => word !== '');
  return words.map((word) => {
    const operation = operations[word[0] ?? ''];
    const id = Number(word.slice(1));
    if (operation === undefined || word.length < 2 || !Number.isSafeInteger(id)) {
      throw new SyntaxError(`«${word}» is not a change of membership`);
    }
    return { operation, id: id as NodeId };
  });
}

/** The reverse of {@link parseSteps}. */
export function describeSteps(steps: readonly MembershipStep[]): string {
  const letter = (step: MembershipStep): string =>
    Object.keys(operations).find((key) => operations[key] === step.operation) ?? '?';
  return steps.map((step) => `${letter(step)}${step.id}`).join(' ');
}
