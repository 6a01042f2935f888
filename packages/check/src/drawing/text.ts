import type { DrawnCall, DrawnFinding } from './drawn-history.ts';
import { type Bar, TimeAxis } from './time-axis.ts';

/** The drawing for a terminal: one line for each call, in the order, with its bar. */
export function drawText(finding: DrawnFinding): string {
  const axis = new TimeAxis(finding.calls);
  const lines = [finding.title, `  ${finding.text}`];
  if (finding.before > 0) lines.push(`  … ${finding.before} calls in order before these`);
  for (const call of finding.calls) {
    const bar = axis.bars.get(call.id);
    if (bar !== undefined)
      lines.push(`  ${markOf(call).padStart(5)} ${barText(bar, axis.columns)} ${textOf(call)}`);
  }
  if (finding.state !== null) lines.push(`  state after the calls in order: ${finding.state}`);
  return lines.join('\n');
}

function markOf({ kind, place }: DrawnCall): string {
  if (place !== null) return String(place);
  return kind === 'misfit' ? misfitMark : '-';
}

/** Where others have a number: the call is crossed out. (Part of the drawing: nothing is unfinished here.) */
const misfitMark = 'XXX';

function textOf({ id, client, calledAt, endsAt, label, kind, place }: DrawnCall): string {
  const end = endsAt === Infinity ? '?' : String(endsAt);
  const what = `client ${client} [${calledAt}, ${end}] call ${id}: ${label}`;
  return kind === 'misfit' && place === null ? `${what}   <- has no place` : what;
}

/** `|--o--|`: called, took effect, over. Many columns are squeezed into few. */
function barText({ from, to, effect }: Bar, columns: number): string {
  const scale = Math.min(1, barCharacters / columns);
  const at = (column: number): number => Math.floor(column * scale);
  const cells = Array.from({ length: at(columns - 1) + 1 }, () => ' ');
  for (let cell = at(from); cell <= at(to); cell += 1) cells[cell] = '-';
  cells[at(from)] = '|';
  cells[at(to)] = '|';
  if (effect !== null) cells[at(effect)] = 'o';
  return cells.join('');
}

const barCharacters = 48;
