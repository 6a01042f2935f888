import { parseOutput, withoutLogLines } from './parsed-output.ts';
import type { OutputBlock, StateLine } from './parsed-output.ts';
import type { Directive } from './script-file.ts';

/**
 * How far a replay agrees with a script. `L1`: after every command the states of all members, the entries that they
 * wrote and applied, their commit indexes, and all that `raft-state`, `raft-log` and `status` print. `L2`: the messages
 * too, in order, each with the batch or delivery that it belongs to, field by field. `L3`: the whole text but for log
 * lines. `L4`: the whole text.
 */
export const grades = ['none', 'L1', 'L2', 'L3', 'L4'] as const;
export type Grade = (typeof grades)[number];

export function atLeast(grade: Grade, wanted: Grade): boolean {
  return grades.indexOf(grade) >= grades.indexOf(wanted);
}

/** The best grade for one command. */
export function gradeOutput(directive: Directive, output: string): Grade {
  const { expected } = directive;
  if (output === expected) return 'L4';
  if (withoutLogLines(output) === withoutLogLines(expected)) return 'L3';
  const ours = parseOutput(directive, output);
  const theirs = parseOutput(directive, expected);
  if (!equal(statesOf(ours), statesOf(theirs))) return 'none';
  return equal(messagesOf(ours), messagesOf(theirs)) ? 'L2' : 'L1';
}

/** The last role and hard state of each member, all of its entries and snapshots; then what is not a member's. */
function statesOf(blocks: readonly OutputBlock[]): unknown {
  const members = new Map<string, Record<StateLine['kind'], string[]>>();
  for (const { heading, states } of blocks) {
    const member = heading.split(' ').find((word) => /^\d+$/u.test(word)) ?? heading;
    for (const { kind, text } of states) {
      const known = members.get(member) ?? nothingKnown();
      members.set(member, known);
      if (kind === 'role' || kind === 'hard-state') known[kind] = [text];
      else known[kind].push(text);
    }
  }
  const byMember = [...members].sort(([a], [b]) => a.localeCompare(b));
  return [byMember, blocks.flatMap(({ others }) => others)];
}

function nothingKnown(): Record<StateLine['kind'], string[]> {
  return { role: [], 'hard-state': [], entry: [], committed: [], snapshot: [] };
}

/** Who said what on which occasion; occasions without a message do not count. */
function messagesOf(blocks: readonly OutputBlock[]): unknown {
  return blocks
    .filter(({ messages }) => messages.length > 0)
    .map(({ heading, messages }) => [heading, messages]);
}

function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
