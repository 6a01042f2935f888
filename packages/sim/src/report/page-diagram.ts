/** The second part of the page's script: lanes, messages, bands and calls, drawn for the part of time that is looked at. */
export const diagramScript = String.raw`
const svgNames = 'http://www.w3.org/2000/svg';
const draw = (parent, tag, attributes, words) => {
  const element = document.createElementNS(svgNames, tag);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (words !== undefined) element.textContent = words;
  parent.appendChild(element);
  return element;
};
const shorten = (words, max) => words.length <= max ? words : words.slice(0, Math.max(max - 1, 1)) + '…';
const gutter = 74, headHeight = 44, footHeight = 14;
const roleClass = (role) => role === undefined ? '' : /leader|primary/.test(role) ? 'leader' : /candidate/.test(role) ? 'candidate' : '';
const callLanes = new Set(operations.map((o) => o.lane));
/** Where how many links of a lane's node are cut. */
const cutBands = (() => {
  const edges = Array.from({ length: lanes }, () => []);
  for (const c of cuts) for (const lane of [c.a, c.b]) { edges[lane].push([c.from, 1]); edges[lane].push([c.to === null ? endMs : c.to, -1]); }
  return edges.map((list) => {
    list.sort((x, y) => x[0] - y[0]);
    const bands = [];
    let depth = 0, since = 0;
    for (const [at, by] of list) { if (depth > 0 && at > since) bands.push({ from: since, to: at, depth }); depth += by; since = at; }
    return bands;
  });
})();
const layout = { width: 800, height: 400, y: [], x: (ms) => ms, time: (x) => x };
const measure = () => {
  const box = $('diagram');
  layout.width = Math.max(box.clientWidth, 320);
  const visible = data.nodes.map((_, i) => i).filter((i) => view.shown[i]);
  const room = Math.max(box.clientHeight - 4, 200) - headHeight - footHeight;
  // Who says what it is has more to show than a client.
  const weight = (lane) => statesOf[lane].length > 0 ? 1.5 : 1;
  const weights = visible.reduce((sum, lane) => sum + weight(lane), 0);
  const each = Math.max(Math.min(room / Math.max(weights, 1), 100), 26);
  layout.each = each;
  layout.height = headHeight + footHeight + each * weights;
  layout.y = data.nodes.map(() => null);
  let top = headHeight;
  for (const lane of visible) { layout.y[lane] = top + each * weight(lane) * 0.5; top += each * weight(lane); }
  const span = view.to - view.from;
  layout.x = (ms) => gutter + ((ms - view.from) / span) * (layout.width - gutter - 14);
  layout.time = (x) => view.from + ((x - gutter) / (layout.width - gutter - 14)) * span;
};
const within = (from, to) => from <= view.to && to >= view.from;
const clampX = (x) => Math.min(Math.max(x, gutter), layout.width - 12);

const drawDiagram = () => {
  measure();
  const svg = $('diagram-svg');
  svg.replaceChildren();
  svg.setAttribute('viewBox', '0 0 ' + layout.width + ' ' + layout.height);
  svg.style.height = layout.height + 'px';
  const defs = draw(svg, 'defs', {});
  const hatch = draw(defs, 'pattern', { id: 'hatch', width: 7, height: 7, patternTransform: 'rotate(45)', patternUnits: 'userSpaceOnUse' });
  draw(hatch, 'rect', { width: 7, height: 7, fill: 'var(--down)', 'fill-opacity': 0.35 });
  draw(hatch, 'line', { x1: 0, y1: 0, x2: 0, y2: 7, stroke: 'var(--quiet)', 'stroke-opacity': 0.5, 'stroke-width': 2 });
  const clip = draw(draw(defs, 'clipPath', { id: 'plot' }), 'rect', { x: gutter, y: 0, width: layout.width - gutter - 10, height: layout.height });
  void clip;
  drawGrid(svg);
  const plot = draw(svg, 'g', { 'clip-path': 'url(#plot)' });
  for (let lane = 0; lane < lanes; lane += 1) if (layout.y[lane] !== null) drawLane(svg, plot, lane);
  drawMessages(plot);
  for (const o of operations) drawCall(plot, o);
  drawFaults(plot);
  if (violationMs !== null && within(violationMs, violationMs)) {
    const x = layout.x(violationMs);
    draw(plot, 'line', { class: 'violation', x1: x, x2: x, y1: 18, y2: layout.height - footHeight });
    const right = x > layout.width * 0.6;
    draw(plot, 'text', { class: 'violationlabel', x: right ? x - 5 : x + 5, y: layout.height - footHeight - 5, 'text-anchor': right ? 'end' : 'start' }, '✗ ' + data.violation.name);
  }
  draw(plot, 'line', { class: 'cursor', id: 'cursor' });
  draw(svg, 'text', { class: 'cursorlabel', id: 'cursorlabel', y: layout.height - 7 });
  draw(plot, 'path', { class: 'msg flying', id: 'flying', d: '' });
  drawCursor();
};

const drawGrid = (svg) => {
  const span = view.to - view.from;
  const raw = span / Math.max(layout.width / 110, 2);
  const power = Math.pow(10, Math.floor(Math.log10(raw)));
  const stepMs = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
  for (let at = Math.ceil(view.from / stepMs) * stepMs; at <= view.to; at += stepMs) {
    const x = layout.x(at);
    draw(svg, 'line', { class: 'grid', x1: x, x2: x, y1: headHeight - 4, y2: layout.height - footHeight });
    const digits = stepMs >= 1000 ? 0 : stepMs >= 100 ? 1 : stepMs >= 10 ? 2 : stepMs >= 1 ? 3 : 4;
    draw(svg, 'text', { class: 'tick', x: x + 3, y: 38 }, (at / 1000).toFixed(digits) + ' s');
  }
};

const drawLane = (svg, plot, lane) => {
  const y = layout.y[lane];
  const half = Math.min(layout.each * 0.34, 15);
  const label = draw(svg, 'text', { class: 'lanename', x: 10, y: y + 4 }, shorten(name(lane), 9));
  label.addEventListener('click', () => toggleLane(lane));
  for (const b of cutBands[lane]) if (within(b.from, b.to)) {
    const x = layout.x(b.from);
    draw(plot, 'rect', { class: 'cutband', 'data-lane': lane, x, y: y + half - 2, width: Math.max(layout.x(b.to) - x, 1.5), height: 4, 'fill-opacity': Math.min(0.25 + b.depth / (2 * lanes), 0.95) });
  }
  if (!isNode(lane)) { draw(plot, 'line', { class: 'grid', x1: gutter, x2: layout.width, y1: y, y2: y }); return; }
  let end = 0;
  for (const life of livesOf[lane]) {
    drawDown(plot, lane, end, life.from, half);
    end = life.to === null ? Infinity : life.to;
    drawRoles(plot, lane, life, y);
    if (life.number > 1 && within(life.from, life.from)) draw(plot, 'text', { class: 'lifemark start', x: layout.x(life.from) - 4, y: y - half - 2 }, '▲');
    if (life.to !== null && within(life.to, life.to)) draw(plot, 'text', { class: 'lifemark crash', x: layout.x(life.to) - 4, y: y - half - 2 }, life.ending === 'power cut' ? '⚡' : life.ending === 'exit' ? '■' : '✖');
  }
  drawDown(plot, lane, end, endMs, half);
  for (const p of pausesOf[lane]) {
    const to = p.to === null ? endMs : p.to;
    if (!within(p.from, to)) continue;
    const x = layout.x(p.from), width = Math.max(layout.x(to) - x, 2);
    draw(plot, 'rect', { class: 'pause', 'data-lane': lane, x, y: y - half, width, height: half * 2 });
    if (width > 46) draw(plot, 'text', { class: 'tick', x: clampX(x) + 4, y: y - half + 11 }, 'paused');
  }
  for (const s of syncs) if (s.lane === lane && within(s.from, s.to === null ? s.from : s.to)) {
    const x = layout.x(s.from);
    draw(plot, 'rect', { class: s.failed ? 'sync failed' : 'sync', x, y: y + 4, width: Math.max(s.to === null ? 1 : layout.x(s.to) - x, 1), height: 3, 'fill-opacity': 0.55 });
  }
};

const drawDown = (plot, lane, from, to, half) => {
  if (!(to > from) || !within(from, to) || from === 0) return;
  const x = Math.max(layout.x(from), gutter - 4), width = Math.max(Math.min(layout.x(to), layout.width) - x, 2);
  draw(plot, 'rect', { class: 'down', 'data-lane': lane, x, y: layout.y[lane] - half, width, height: half * 2 });
  if (width > 40) draw(plot, 'text', { class: 'tick', x: x + 4, y: layout.y[lane] + 4 }, 'down');
};

/** The line of a life, as thick as its part in the protocol is. */
const drawRoles = (plot, lane, life, y) => {
  const to = life.to === null ? endMs : life.to;
  const list = statesOf[lane];
  let from = life.from, role = '';
  const segment = (until) => {
    if (until > from && within(from, until)) draw(plot, 'line', { class: 'laneline ' + role, x1: Math.max(layout.x(from), gutter - 4), x2: Math.min(layout.x(until), layout.width), y1: y, y2: y });
  };
  for (let i = firstFrom(list, life.from, (s) => s.at); i < list.length && list[i].at <= to; i += 1) {
    const next = roleClass(list[i].role);
    if (next === role) continue;
    segment(list[i].at);
    from = list[i].at;
    role = next;
  }
  segment(to);
};

const isShown = (m) => layout.y[m.a] !== null && layout.y[m.b] !== null && m.a !== m.b;
const messageEnd = (m) => m.arrived === null ? Math.min(m.due, endMs) : m.arrived;
const visibleMessages = () => messages.filter((m) => isShown(m) && within(m.sent, messageEnd(m)));
const drawMessages = (plot) => {
  const visible = visibleMessages();
  const paths = { '': [], late: [], lost: [], hit: [] };
  const crosses = [], arrows = [];
  const wanted = view.search.toLowerCase();
  for (const m of visible) {
    const x1 = layout.x(m.sent), y1 = layout.y[m.a], y2 = layout.y[m.b];
    let x2 = layout.x(messageEnd(m)), to = y2;
    const lost = isLost(m);
    if (lost) { to = y1 + (y2 - y1) * 0.62; x2 = x1 + (x2 - x1) * 0.62; }
    const kind = wanted !== '' && m.label !== null && m.label.toLowerCase().includes(wanted) ? 'hit' : lost ? 'lost' : isLate(m) ? 'late' : '';
    paths[kind].push('M' + x1.toFixed(1) + ' ' + y1.toFixed(1) + 'L' + x2.toFixed(1) + ' ' + to.toFixed(1));
    if (lost && visible.length < 800) crosses.push('M' + (x2 - 3) + ' ' + (to - 3) + 'l6 6m0 -6l-6 6');
    if (!lost && visible.length < 500) {
      const angle = Math.atan2(to - y1, x2 - x1), at = (turn, length) => (x2 - Math.cos(angle + turn) * length).toFixed(1) + ' ' + (to - Math.sin(angle + turn) * length).toFixed(1);
      arrows.push('M' + x2.toFixed(1) + ' ' + to.toFixed(1) + 'L' + at(0.4, 7) + 'L' + at(-0.4, 7) + 'Z');
    }
  }
  // Many lines over each other are a fog in which nothing else is seen.
  const opacity = Math.min(Math.max(300 / Math.max(visible.length, 1), 0.16), 0.8);
  for (const kind in paths) if (paths[kind].length > 0) draw(plot, 'path', { class: 'msg ' + kind, d: paths[kind].join(''), style: kind === '' ? 'stroke-opacity:' + opacity : '' });
  if (crosses.length > 0) draw(plot, 'path', { class: 'lostcross', d: crosses.join('') });
  if (arrows.length > 0) draw(plot, 'path', { class: 'arrow', d: arrows.join('') });
  if (visible.length > 60) return;
  for (const m of visible) if (m.label !== null) {
    const x = (layout.x(m.sent) + layout.x(messageEnd(m))) / 2, y = (layout.y[m.a] + layout.y[m.b]) / 2;
    draw(plot, 'text', { class: 'msglabel', x: x + 4, y: y + ((m.a + m.b) % 2) * 9 - 3 }, shorten(m.label, 34));
  }
};

const drawCall = (plot, o) => {
  const y = layout.y[o.lane];
  const last = o.ended === null ? Math.min(o.called + Math.max((view.to - view.from) * 0.08, 30), endMs) : o.ended;
  if (y === null || !within(o.called, last)) return;
  const x = layout.x(o.called), width = Math.max(layout.x(last) - x, 2.5);
  const height = Math.min(layout.each * 0.42, 17);
  const group = draw(plot, 'g', { class: 'op ' + o.outcome + (o.offending ? ' offending' : ''), 'data-call': o.id });
  draw(group, 'rect', { x, y: y - height - 2, width, height, rx: 3 });
  draw(group, 'title', {}, 'call ' + o.id + ': ' + o.call + '\n' + o.outcome + ': ' + o.result);
  const words = (o.ended === null ? '? ' : '') + o.call + (o.outcome === 'returned' ? ' → ' + o.result : '');
  const room = o.offending ? Math.max((width - 8) / 6, 22) : (width - 8) / 6;
  if (room > 5) draw(group, 'text', { x: Math.max(x, gutter) + 4, y: y - height / 2 + 2 }, shorten(words, Math.floor(room)));
  group.addEventListener('click', (event) => { event.stopPropagation(); goTo(o.called); });
};

const drawFaults = (plot) => {
  let lastX = -Infinity;
  data.story.forEach((step, i) => {
    if (!within(step.timeMs, step.timeMs)) return;
    const x = layout.x(step.timeMs);
    const ys = step.nodes.map((n) => layout.y[data.nodes.indexOf(n)]).filter((y) => y !== null && y !== undefined);
    draw(plot, 'line', { class: 'faultline', x1: x, x2: x, y1: 18, y2: ys.length > 0 ? Math.max(...ys) : layout.height - footHeight });
    if (x - lastX < 15) return;
    lastX = x;
    const flag = draw(plot, 'g', { class: 'faultflag', 'data-step': i + 1 });
    draw(flag, 'rect', { x: x - 9, y: 3, width: 18, height: 15, rx: 4 });
    draw(flag, 'text', { x, y: 14 }, String(i + 1));
    draw(flag, 'title', {}, seconds(step.timeMs) + ': ' + step.text);
    flag.addEventListener('click', (event) => { event.stopPropagation(); goTo(step.timeMs); });
  });
};

const drawCursor = () => {
  const x = layout.x(now());
  const line = $('cursor'), label = $('cursorlabel');
  if (line === null) return;
  for (const [key, value] of Object.entries({ x1: x, x2: x, y1: 18, y2: layout.height - footHeight })) line.setAttribute(key, value);
  const visible = within(now(), now());
  const right = x > layout.width - 90;
  label.setAttribute('x', right ? x - 4 : x + 4);
  label.setAttribute('text-anchor', right ? 'end' : 'start');
  label.setAttribute('y', 27);
  label.textContent = visible ? seconds(now()) : '';
  const flying = messages.filter((m) => isShown(m) && m.sent <= now() && (m.arrived === null ? m.due : m.arrived) >= now() && within(m.sent, messageEnd(m)));
  $('flying').setAttribute('d', flying.slice(0, 400).map((m) => 'M' + layout.x(m.sent) + ' ' + layout.y[m.a] + 'L' + layout.x(messageEnd(m)) + ' ' + layout.y[m.b]).join(''));
  const window = $('window');
  if (window !== null) drawWindow();
};

/** The whole run in a strip: where much happens, where the faults are, and which part is looked at. */
const drawOverview = () => {
  const svg = $('overview-svg');
  const width = Math.max($('overview').clientWidth, 300), height = 36;
  svg.replaceChildren();
  svg.setAttribute('viewBox', '0 0 ' + width + ' ' + height);
  const x = (ms) => (ms / endMs) * width;
  const counts = new Array(Math.ceil(width / 3)).fill(0);
  for (const m of messages) counts[Math.min(Math.floor(x(m.sent) / 3), counts.length - 1)] += 1;
  const most = Math.max(...counts, 1);
  draw(svg, 'path', { class: 'arrow', 'fill-opacity': 0.5, d: counts.map((n, i) => n === 0 ? '' : 'M' + i * 3 + ' ' + height + 'v' + -(n / most) * (height - 8) + 'h2.4V' + height + 'Z').join('') });
  for (const step of data.story) draw(svg, 'rect', { fill: 'var(--fault)', x: x(step.timeMs) - 0.8, y: 0, width: 1.6, height: 9 });
  for (const o of offending) draw(svg, 'rect', { fill: 'var(--bad)', x: x(o.called) - 1, y: 10, width: Math.max(x(o.ended === null ? o.called : o.ended) - x(o.called), 3), height: 7 });
  if (violationMs !== null) draw(svg, 'rect', { fill: 'var(--bad)', x: Math.min(x(violationMs), width - 3) - 1, y: 0, width: 3, height });
  draw(svg, 'rect', { class: 'window', id: 'window', y: 0.5, height: height - 1, rx: 3 });
  draw(svg, 'line', { class: 'cursor', id: 'overview-cursor', y1: 0, y2: height });
  drawWindow();
};
const drawWindow = () => {
  const width = Math.max($('overview').clientWidth, 300);
  const x = (ms) => (ms / endMs) * width;
  $('window').setAttribute('x', x(view.from));
  $('window').setAttribute('width', Math.max(x(view.to) - x(view.from), 4));
  $('overview-cursor').setAttribute('x1', x(now()));
  $('overview-cursor').setAttribute('x2', x(now()));
};

const show = (from, to) => {
  const least = Math.min(0.5, endMs);
  const span = Math.min(Math.max(to - from, least), endMs * 1.04);
  view.from = Math.min(Math.max(from, 0), Math.max(endMs * 1.04 - span, 0));
  view.to = view.from + span;
  drawDiagram();
};
const zoom = (factor, around) => show(around - (around - view.from) * factor, around + (view.to - around) * factor);
const toggleLane = (lane) => {
  view.shown[lane] = !view.shown[lane];
  if (!view.shown.some((shown) => shown)) view.shown.fill(true);
  drawDiagram();
  drawPanels(true);
};

/** What the pointer is at: a message, a band, a node. */
const tipAt = (x, y) => {
  const at = layout.time(x);
  let best = null, nearest = 7;
  for (const m of visibleMessages()) {
    const x1 = layout.x(m.sent), x2 = layout.x(messageEnd(m)), y1 = layout.y[m.a], y2 = layout.y[m.b];
    const length = Math.hypot(x2 - x1, y2 - y1) || 1;
    const along = ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / (length * length);
    if (along < 0 || along > 1) continue;
    const distance = Math.abs((x - x1) * (y2 - y1) - (y - y1) * (x2 - x1)) / length;
    if (distance < nearest) { nearest = distance; best = m; }
  }
  if (best !== null) {
    const took = best.arrived === null ? 'never arrives' : 'arrives after ' + (best.arrived - best.sent).toFixed(2) + ' ms';
    return name(best.a) + ' → ' + name(best.b) + ' at ' + seconds(best.sent) + '\n' + (best.label === null ? '' : best.label + '\n') + best.size + ' bytes, ' + took;
  }
  const lane = layout.y.findIndex((own) => own !== null && Math.abs(own - y) < layout.each * 0.4);
  if (lane < 0 || x < gutter) return null;
  const words = [name(lane) + ' at ' + seconds(at)];
  if (isNode(lane) && lifeAt(lane, at) === null) words.push('down');
  if (pausedAt(lane, at)) words.push('paused');
  const mute = cuts.filter((c) => c.a === lane && c.from <= at && (c.to === null || c.to > at)).map((c) => name(c.b));
  const deaf = cuts.filter((c) => c.b === lane && c.from <= at && (c.to === null || c.to > at)).map((c) => name(c.a));
  if (mute.length > 0) words.push('does not reach ' + mute.join(', '));
  if (deaf.length > 0) words.push('does not hear ' + deaf.join(', '));
  const state = stateAt(lane, at);
  if (state !== null && lifeAt(lane, at) !== null) words.push(state.fields.map(([k, v]) => k + ' ' + v).join(', '));
  return words.join('\n');
};
`;
