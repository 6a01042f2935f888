import { drawSvg } from './svg.ts';
import { escapeMarkup } from './markup.ts';
import type { DrawnCall, DrawnFinding } from './drawn-history.ts';

/** What a page says above its drawings. */
export interface PageHead {
  readonly title: string;
  /** `ok`, `illegal`, `unknown`. */
  readonly outcome: string;
  readonly text: string;
}

/** One HTML page that needs nothing else: no script, no font, no picture from elsewhere. */
export function drawPage({ title, outcome, text }: PageHead, findings: readonly DrawnFinding[]): string {
  const sections = findings.map((finding, at) => section(finding, at)).join('\n');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(title)}: ${escapeMarkup(outcome)}</title>
<style>${style}</style>
<h1>${escapeMarkup(title)} <span class="outcome ${escapeMarkup(outcome)}">${escapeMarkup(outcome)}</span></h1>
<p class="verdict">${escapeMarkup(text)}</p>
${sections}
</html>
`;
}

function section(finding: DrawnFinding, at: number): string {
  const before = finding.before > 0 ? `<p>${finding.before} calls in order stand before these.</p>` : '';
  const state =
    finding.state === null
      ? ''
      : `<p>State after the calls in order: <code>${escapeMarkup(finding.state)}</code></p>`;
  return `<section id="finding-${at + 1}">
<h2>${escapeMarkup(finding.title)}</h2>
<p>${escapeMarkup(finding.text)}</p>
${before}
<div class="drawing">${drawSvg(finding)}</div>
${state}
<table>
<thead><tr><th>place</th><th>call</th><th>client</th><th>called</th><th>over</th><th>what</th></tr></thead>
<tbody>
${finding.calls.map(row).join('\n')}
</tbody>
</table>
</section>`;
}

function row({ id, client, calledAt, endsAt, label, kind, place }: DrawnCall): string {
  const none = kind === 'misfit' ? 'none' : '';
  const end = endsAt === Infinity ? 'unknown' : String(endsAt);
  const cells = [place === null ? none : String(place), String(id), String(client), String(calledAt), end];
  const text = cells.map((cell) => `<td>${escapeMarkup(cell)}</td>`).join('');
  return `<tr class="${kind}" data-call="${id}">${text}<td><code>${escapeMarkup(label)}</code></td></tr>`;
}

const style = `
:root { color-scheme: light dark; --ink: #1d2733; --paper: #fcfcfa; --line: #c9d1d9; --ok: #2f7d4f; --bad: #b3261e; --open: #8a94a0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --paper: #14181d; --line: #3a434d; --ok: #58b881; --bad: #ff7a6e; --open: #808b97; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.outcome { font-size: 1rem; padding: .1rem .5rem; border-radius: .3rem; border: 1px solid currentColor; }
.outcome.ok { color: var(--ok); } .outcome.illegal, .outcome.unknown { color: var(--bad); }
.verdict { white-space: pre-wrap; overflow-wrap: anywhere; }
.drawing { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; padding: .5rem; }
table { border-collapse: collapse; margin-top: 1rem; } td, th { text-align: left; padding: .15rem .6rem; border-bottom: 1px solid var(--line); }
tr.misfit { color: var(--bad); font-weight: 600; } tr.aside { color: var(--open); }
svg text { font: 12px ui-monospace, monospace; fill: var(--ink); } svg .client { font-weight: 600; }
svg .bar { fill: var(--ok); fill-opacity: .22; stroke: var(--ok); } svg .misfit .bar { fill: var(--bad); stroke: var(--bad); stroke-width: 2; }
svg .aside .bar { fill: var(--open); stroke: var(--open); stroke-dasharray: 4 3; } svg .lane { stroke: var(--line); }
svg .order { fill: none; stroke: var(--ok); stroke-width: 1.5; } svg .place { fill: var(--ok); } svg .misfit .place { fill: var(--bad); }
svg .number { fill: #fff; font-size: 10px; text-anchor: middle; }
`;
