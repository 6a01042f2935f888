import { ConfchangeScript } from './confchange-script.ts';
import { atLeast, gradeOutput } from './grade.ts';
import type { Grade } from './grade.ts';
import { InteractionScript } from './interaction-script.ts';
import { runQuorumDirective } from './quorum-script.ts';
import { parseScript } from './script-file.ts';
import type { Directive } from './script-file.ts';

/** What became of one script. */
export interface ScriptResult {
  /** Of members that talk to each other, or of one function whose results are equal to the expected ones or not. */
  readonly kind: 'interaction' | 'function';
  readonly commands: number;
  /** The worst grade of its commands. Scripts about quorums and changes alone are equal (`L4`), or not (`none`). */
  readonly grade: Grade;
  /** Of each command that is not equal. */
  readonly differences: readonly Difference[];
}

export interface Difference {
  readonly directive: Directive;
  readonly grade: Grade;
  readonly output: string;
}

/** Replays one script. What it is about is told by its first command. */
export function replayScript(text: string): ScriptResult {
  const directives = parseScript(text);
  const first = directives[0];
  if (first === undefined) throw new SyntaxError('a script without commands');
  const kind = functions.has(first.command) ? 'function' : 'interaction';
  const run = runnerFor(first);
  const differences: Difference[] = [];
  let worst: Grade = 'L4';
  for (const directive of directives) {
    const { output, grade } = run(directive);
    if (!atLeast(grade, worst)) worst = grade;
    if (grade !== 'L4') differences.push({ directive, grade, output });
  }
  return { kind, commands: directives.length, grade: worst, differences };
}

const functions = new Set(['committed', 'vote', 'simple', 'enter-joint', 'leave-joint']);

type Runner = (directive: Directive) => { readonly output: string; readonly grade: Grade };

function runnerFor({ command }: Directive): Runner {
  if (command === 'committed' || command === 'vote') return runQuorum;
  if (command === 'simple' || command === 'enter-joint' || command === 'leave-joint') {
    const script = new ConfchangeScript();
    return (directive) => compared(script.run(directive), directive.expected);
  }
  const script = new InteractionScript();
  return (directive) => {
    const output = script.run(directive);
    return { output, grade: gradeOutput(directive, output) };
  };
}

/** Only the last line is the result; before it stands a drawing. */
function runQuorum(directive: Directive): ReturnType<Runner> {
  const last = directive.expected.split('\n').pop() ?? '';
  return compared(runQuorumDirective(directive), last.replace(/^<[^>]*>/u, ''));
}

function compared(output: string, expected: string): ReturnType<Runner> {
  return { output, grade: output === expected ? 'L4' : 'none' };
}
