import type { RunResult } from '../scenario.ts';
import { describeUncontrolled } from '../world.ts';
import type { Trace } from '../trace/trace.ts';
import { milliseconds, packTrace } from './pack.ts';
import { pageBody } from './page-body.ts';
import { diagramScript } from './page-diagram.ts';
import { panelScript } from './page-panels.ts';
import { modelScript } from './page-model.ts';
import { pageStyle } from './page-style.ts';
import { storyOf } from './story.ts';

/** What a report tells. */
export interface Report {
  readonly scenario: string;
  /** Null: the tape is of no seed. */
  readonly seed: number | null;
  readonly result: RunResult;
  readonly trace: Trace;
  /** How the run became so small, or null when it was not shrunk. */
  readonly shrunk: string | null;
  /** What repeats the run, on a command line; null: nothing was left behind. */
  readonly replay: string | null;
}

/**
 * A run as one page for a browser: lanes of nodes with their messages, faults and calls over time, what each node was
 * and said at any instant, and the finding. One file, which asks the network for nothing.
 */
export function renderReport(report: Report): string {
  const { scenario, seed, result, trace, shrunk, replay } = report;
  const { violation } = result;
  const data = {
    scenario,
    seed,
    shrunk,
    uncontrolled: result.uncontrolled === undefined ? null : describeUncontrolled(result.uncontrolled),
    replay,
    events: result.events,
    traceHash: result.traceHash,
    violation: violation && { ...violation, timeMs: milliseconds(violation.timeMs) },
    story: storyOf(trace).map((step) => ({ ...step, timeMs: milliseconds(step.timeMs) })),
    ...packTrace(trace),
  };
  const title = `${violation?.name ?? 'no violation'} · ${scenario}${seed === null ? '' : ` · seed ${seed}`}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<link rel="icon" href="data:,">
<style>${pageStyle}</style>
</head>
<body>
${pageBody}
<script type="application/json" id="data">${inScript(JSON.stringify(data))}</script>
<script>'use strict';
(() => {
${modelScript}
${diagramScript}
${panelScript}
})();
</script>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** No text of a run can end the element that holds it. */
function inScript(json: string): string {
  return json.replaceAll('<', '\\u003c').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}
