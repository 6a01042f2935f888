import type { DrawnCall, DrawnFinding } from './drawn-history.ts';
import { escapeMarkup } from './markup.ts';
import { type Bar, TimeAxis } from './time-axis.ts';

/**
 * The drawing: a row of bars for each client, numbered where the calls take effect, a line through them in their
 * order, and the call that has no place marked. What a client has open at once stands in rows of its own.
 */
export function drawSvg(finding: DrawnFinding): string {
  const axis = new TimeAxis(finding.calls);
  const rows = rowsOf(finding.calls, axis);
  const width = marginLeft + axis.columns * columnWidth + marginRight;
  const height = (rows.at(-1)?.top ?? 0) + rowHeight + margin;
  const lanes = rows.map(({ client, top, isFirst }) => lane(client, top, isFirst, width)).join('');
  const middleOf = new Map<number, number>();
  let bars = '';
  for (const { calls, top } of rows) {
    for (const call of calls) {
      const bar = axis.bars.get(call.id);
      if (bar === undefined) continue;
      middleOf.set(call.id, top + rowHeight / 2);
      bars += barOf(call, bar, top);
    }
  }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">` +
    `<title>${escapeMarkup(finding.title)}</title>${lanes}${orderLine(finding.calls, axis, middleOf)}${bars}` +
    `${finding.calls.map((call) => placeOf(call, axis, middleOf)).join('')}</svg>`
  );
}

interface Row {
  readonly client: number;
  readonly top: number;
  /** Of its client. */
  readonly isFirst: boolean;
  readonly calls: DrawnCall[];
  end: number;
}

/** By client, each call in the first row that is free when it begins. */
function rowsOf(calls: readonly DrawnCall[], axis: TimeAxis): readonly Row[] {
  const byClient = new Map<number, DrawnCall[]>();
  for (const call of calls) byClient.set(call.client, [...(byClient.get(call.client) ?? []), call]);
  const rows: Row[] = [];
  for (const [client, own] of [...byClient].sort(([a], [b]) => a - b)) {
    const first = rows.length;
    for (const call of own.sort((a, b) => a.calledAt - b.calledAt || a.endsAt - b.endsAt)) {
      const bar = axis.bars.get(call.id);
      if (bar === undefined) continue;
      let row = rows.slice(first).find(({ end }) => end < bar.from);
      if (row === undefined) {
        const top = margin + rows.length * (rowHeight + rowGap);
        row = { client, top, isFirst: rows.length === first, calls: [], end: -1 };
        rows.push(row);
      }
      row.calls.push(call);
      row.end = bar.to;
    }
  }
  return rows;
}

function lane(client: number, top: number, isFirst: boolean, width: number): string {
  const middle = top + rowHeight / 2;
  const name = isFirst ? `<text class="client" x="${margin}" y="${middle + 4}">client ${client}</text>` : '';
  return `<line class="lane" x1="${marginLeft}" x2="${width - margin}" y1="${middle}" y2="${middle}"/>${name}`;
}

function barOf({ id, kind, label, calledAt, endsAt }: DrawnCall, { from, to }: Bar, top: number): string {
  const x = xOf(from);
  const width = Math.max(xOf(to) - x, columnWidth / 2);
  const end = endsAt === Infinity ? 'unknown' : String(endsAt);
  const title = `call ${id} [${calledAt}, ${end}] ${label}`;
  const room = Math.floor((width - labelLeft) / characterWidth);
  const shown = label.length <= room ? label : `${label.slice(0, Math.max(0, room - 1))}…`;
  return (
    `<g class="${kind}" data-call="${id}"><title>${escapeMarkup(title)}</title>` +
    `<rect class="bar" x="${x}" y="${top}" width="${width}" height="${rowHeight}" rx="4"/>` +
    `<text x="${x + labelLeft}" y="${top + 12}">${escapeMarkup(shown)}</text></g>`
  );
}

/** From each call in order to the next. */
function orderLine(
  calls: readonly DrawnCall[],
  axis: TimeAxis,
  middleOf: ReadonlyMap<number, number>,
): string {
  const points = calls.filter(({ place }) => place !== null).map((call) => pointOf(call, axis, middleOf));
  if (points.length < 2) return '';
  return `<polyline class="order" points="${points.map(({ x, y }) => `${x},${y}`).join(' ')}"/>`;
}

function placeOf(call: DrawnCall, axis: TimeAxis, middleOf: ReadonlyMap<number, number>): string {
  const { x, y } = pointOf(call, axis, middleOf);
  const { id, kind, place } = call;
  if (kind === 'aside') return '';
  return (
    `<g class="${kind}" data-place="${id}"><circle class="place" cx="${x}" cy="${y}" r="9"/>` +
    `<text class="number" x="${x}" y="${y + 3.5}">${place ?? '✗'}</text></g>`
  );
}

/** Calls that take effect in one column stand a little beside each other. */
function pointOf(
  { id, place }: DrawnCall,
  axis: TimeAxis,
  middleOf: ReadonlyMap<number, number>,
): { readonly x: number; readonly y: number } {
  const bar = axis.bars.get(id);
  const column = bar?.effect ?? bar?.from ?? 0;
  const beside = place === null ? 0 : (place % 3) * 6;
  return { x: xOf(column) + 10 + beside, y: (middleOf.get(id) ?? 0) + 7 };
}

function xOf(column: number): number {
  return marginLeft + column * columnWidth;
}

const margin = 12;
const marginLeft = 90;
const marginRight = 24;
const columnWidth = 96;
const rowHeight = 34;
const rowGap = 8;
const labelLeft = 6;
const characterWidth = 7.3;
