import type { Directive } from './script-file.ts';

/** One batch, delivery or thread in the output of a command. */
export interface OutputBlock {
  /** The member and what it does, as `1 handling Ready`; for output without headings the command itself. */
  readonly heading: string;
  /** What is printed of the member's state: role, hard state, entries, snapshots. */
  readonly states: readonly StateLine[];
  readonly messages: readonly string[];
  /** Everything else: `raft-state`, `status`, `raft-log`, errors. */
  readonly others: readonly string[];
}

export interface StateLine {
  readonly kind: 'role' | 'hard-state' | 'entry' | 'committed' | 'snapshot';
  readonly text: string;
}

const logLine = /^\s*(?:DEBUG|INFO|WARN|ERROR|FATAL) /u;
const messageLine = /^(?:dropped: )?\S+->\S+ Msg\w+ /u;
const meaningless =
  /^(?:Ready MustSync=\w+:|<empty Ready>|ok|no messages|Messages:|Processing:|Responses:)$/u;

/** Without the lines that etcd's own code logs. */
export function withoutLogLines(output: string): string {
  const lines = output.split('\n').filter((line) => !logLine.test(line));
  return lines.every((line) => line.trim() === '') ? 'ok' : lines.join('\n');
}

/** Takes the output of a command apart. */
export function parseOutput(directive: Directive, output: string): readonly OutputBlock[] {
  const blocks: { heading: string; lines: string[] }[] = [];
  const ids = directive.arguments.filter(({ values }) => values.length === 0).map(({ key }) => key);
  let block = { heading: [directive.command, ...ids].join(' '), lines: [] as string[] };
  blocks.push(block);
  for (const line of withoutLogLines(output).split('\n')) {
    if (line.startsWith('> ')) {
      block = { heading: line.slice(2), lines: [] };
      blocks.push(block);
    } else {
      block.lines.push(blocks.length > 1 && line.startsWith('  ') ? line.slice(2) : line);
    }
  }
  return blocks.map(({ heading, lines }) => ({ heading, ...parseLines(lines) }));
}

function parseLines(lines: readonly string[]): Omit<OutputBlock, 'heading'> {
  const states: StateLine[] = [];
  const messages: string[] = [];
  const others: string[] = [];
  let entries: 'entry' | 'committed' | null = null;
  for (const line of lines) {
    const kind = kindOf(line);
    if (line === 'Entries:') entries = 'entry';
    else if (line === 'CommittedEntries:') entries = 'committed';
    else if (messageLine.test(line)) messages.push(line);
    else if (messages.length > 0 && /^(?: |\])/u.test(line)) messages.push(`${messages.pop()}\n${line}`);
    else if (kind !== null) states.push({ kind, text: line });
    else if (entries !== null && /^\d+\/\d+ /u.test(line)) states.push({ kind: entries, text: line });
    else if (line !== '' && !meaningless.test(line)) others.push(line);
  }
  return { states, messages, others };
}

function kindOf(line: string): StateLine['kind'] | null {
  if (line.startsWith('Lead:')) return 'role';
  if (line.startsWith('HardState ')) return 'hard-state';
  return line.startsWith('Snapshot ') ? 'snapshot' : null;
}
