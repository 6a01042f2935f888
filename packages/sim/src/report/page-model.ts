/**
 * The first part of the page's script: the trace as it was packed, what can be asked of it, and where the reader is.
 * Written by hand for browsers; no part of it runs in Node.
 */
export const modelScript = String.raw`
const data = JSON.parse(document.getElementById('data').textContent);
const $ = (id) => document.getElementById(id);
const text = (id) => id === null ? null : data.texts[id];
const named = (rows, ...names) => rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
const lives = named(data.lives, 'lane', 'number', 'from', 'to', 'ending');
const pauses = named(data.pauses, 'lane', 'from', 'to');
const cuts = named(data.cuts, 'a', 'b', 'from', 'to');
const messages = named(data.messages, 'a', 'b', 'sent', 'due', 'arrived', 'size', 'label');
for (const m of messages) m.label = text(m.label);
const syncs = named(data.syncs, 'lane', 'from', 'to', 'what', 'failed');
const lines = named(data.lines, 'lane', 'at', 'level', 'text');
for (const l of lines) { l.level = text(l.level); l.text = text(l.text); }
const states = data.states.map(([lane, at, cells]) => {
  const fields = [];
  for (let i = 0; i < cells.length; i += 2) fields.push([text(cells[i]), text(cells[i + 1])]);
  return { lane, at, fields, role: (fields.find(([name]) => name === 'role') || [])[1] };
});
const operations = named(data.operations, 'id', 'lane', 'called', 'ended', 'outcome', 'call', 'result');
const offenders = new Set((data.violation && data.violation.calls) || []);
for (const o of operations) { o.call = text(o.call); o.result = text(o.result); o.offending = offenders.has(o.id); }
const lanes = data.nodes.length;
const name = (lane) => data.nodes[lane];
const seconds = (ms) => (ms / 1000).toFixed(3) + ' s';
const endMs = Math.max(data.endMs, 0.001);
const violationMs = data.violation === null ? null : data.violation.timeMs;
const isLate = (() => {
  const delays = messages.filter((m) => m.arrived !== null).map((m) => m.arrived - m.sent).sort((a, b) => a - b);
  const usual = delays[Math.floor(delays.length * 0.9)] || 0;
  const bound = Math.max(usual * 3, 20);
  return (m) => m.arrived !== null && m.arrived - m.sent > bound;
})();
const isLost = (m) => m.arrived === null && m.due <= endMs;

/** Everything that happens, in time order: what the list shows and the buttons step through. */
const happenings = [];
const add = (at, lanes, kind, words, more) => happenings.push({ at, lanes, kind, words, ...more });
data.story.forEach((step, i) => add(step.timeMs, step.nodes.map((n) => data.nodes.indexOf(n)), 'fault', '[' + (i + 1) + '] ' + step.text, { step: i }));
for (const l of lives) {
  add(l.from, [l.lane], 'life', l.number === 1 ? 'starts' : 'starts again (life ' + l.number + ')');
  if (l.to !== null) add(l.to, [l.lane], 'life', l.ending === 'power cut' ? 'loses its power' : l.ending === 'exit' ? 'exits' : 'crashes');
}
for (const p of pauses) { add(p.from, [p.lane], 'life', 'stands still'); if (p.to !== null) add(p.to, [p.lane], 'life', 'goes on'); }
for (const m of messages) {
  const what = (m.label === null ? m.size + ' bytes' : m.label);
  const way = name(m.a) + ' → ' + name(m.b) + ': ' + what;
  add(m.sent, [m.a, m.b], isLost(m) ? 'lost' : 'message', way + (m.arrived === null ? (isLost(m) ? ' — never arrives' : ' — still under way at the end') : ''), { message: m });
  if (m.arrived !== null) add(m.arrived, [m.b, m.a], 'message', way + ' — arrives' + (isLate(m) ? ', ' + Math.round(m.arrived - m.sent) + ' ms after it was sent' : ''), { message: m });
}
for (const s of syncs) if (s.to !== null) add(s.to, [s.lane], s.failed ? 'bad' : 'sync', text(s.what) + (s.failed ? ' FAILS' : ' is done') + ' after ' + (s.to - s.from).toFixed(1) + ' ms');
for (const l of lines) add(l.at, [l.lane], 'line', l.text);
const lastState = new Map();
for (const s of states) {
  const before = new Map((lastState.get(s.lane) || { fields: [] }).fields);
  const changes = s.fields.filter(([k, v]) => before.get(k) !== v).map(([k, v]) => k + ' ' + v);
  lastState.set(s.lane, s);
  s.changed = new Set(s.fields.filter(([k, v]) => before.has(k) && before.get(k) !== v).map(([k]) => k));
  if (changes.length > 0) add(s.at, [s.lane], 'state', 'is now: ' + changes.join(', '));
}
for (const o of operations) {
  const kind = o.offending ? 'bad' : 'call';
  add(o.called, [o.lane], kind, 'call ' + o.id + ': ' + o.call, { operation: o });
  if (o.ended !== null) add(o.ended, [o.lane], kind, 'call ' + o.id + ' ' + o.outcome + ': ' + o.result, { operation: o });
}
if (violationMs !== null) add(violationMs, data.violation.node === null ? [] : [data.nodes.indexOf(data.violation.node)], 'bad', 'VIOLATION ' + data.violation.name + ': ' + data.violation.message);
happenings.forEach((h, i) => { h.order = i; });
happenings.sort((a, b) => a.at - b.at || a.order - b.order);
/** The first one at or after a time. */
const firstFrom = (list, ms, at) => {
  let low = 0, high = list.length;
  while (low < high) { const mid = (low + high) >> 1; if (at(list[mid]) < ms) low = mid + 1; else high = mid; }
  return low;
};
const moments = [0];
for (const h of happenings) if (h.at > moments[moments.length - 1]) moments.push(h.at);

/** By lane and time: a search instead of a walk, because all panels are drawn anew at each step. */
const byLane = (list) => { const all = Array.from({ length: lanes }, () => []); for (const item of list) if (all[item.lane]) all[item.lane].push(item); return all; };
const statesOf = byLane(states), linesOf = byLane(lines), livesOf = byLane(lives), pausesOf = byLane(pauses);
const callsOf = byLane(operations);
const lastBefore = (list, ms, at) => { const i = firstFrom(list, ms + 0.0005, at); return i === 0 ? null : list[i - 1]; };
const stateAt = (lane, ms) => lastBefore(statesOf[lane], ms, (s) => s.at);
const lifeAt = (lane, ms) => { const l = lastBefore(livesOf[lane], ms, (x) => x.from); return l !== null && (l.to === null || l.to > ms) ? l : null; };
const pausedAt = (lane, ms) => pausesOf[lane].some((p) => p.from <= ms && (p.to === null || p.to > ms));
const isNode = (lane) => livesOf[lane].length > 0;

/** Where the reader is. */
const view = { step: 0, from: 0, to: endMs, shown: data.nodes.map(() => true), search: '', playing: null };
const now = () => moments[view.step];
const offending = operations.filter((o) => o.offending);
const findingWindow = () => {
  const points = offending.flatMap((o) => [o.called, o.ended === null ? o.called : o.ended]);
  if (points.length === 0 && violationMs !== null) {
    points.push(violationMs);
    // The last few things that were done, not the whole way to them.
    const near = data.story.filter((s) => s.timeMs <= violationMs).slice(-3).map((s) => s.timeMs);
    points.push(...near.filter((ms) => ms > violationMs - 5000));
  }
  if (points.length === 0) return [0, endMs];
  const low = Math.min(...points), high = Math.max(...points);
  const pad = Math.max((high - low) * 0.25, 40);
  return [Math.max(low - pad, 0), Math.min(high + pad, endMs + pad * 0.1)];
};
`;
