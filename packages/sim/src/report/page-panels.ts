/** The last part of the page's script: panels beside the diagram, and everything that a reader can press. */
export const panelScript = String.raw`
const make = (parent, tag, className, words) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (words !== undefined) element.textContent = words;
  parent.appendChild(element);
  return element;
};
const item = (list, number, words, at) => {
  const li = make(list, 'li');
  make(li, 'span', 'number', number);
  const body = make(li, 'span');
  body.append(words);
  make(body, 'span', 'when', at === null ? '' : 'at ' + seconds(at));
  li.addEventListener('click', () => { if (at !== null) goTo(at); });
  return li;
};

const fillHeader = () => {
  const { violation } = data;
  $('verdict').textContent = violation === null ? 'no violation' : 'violation';
  $('verdict').className = 'verdict ' + (violation === null ? 'good' : 'bad');
  $('title').textContent = violation === null ? data.scenario : violation.name;
  const facts = [data.scenario, data.seed === null ? null : 'seed ' + data.seed, seconds(data.endMs) + ' of simulated time', data.events.toLocaleString('en') + ' events', messages.length.toLocaleString('en') + ' messages', 'trace hash ' + data.traceHash];
  const left = Object.entries(data.leftOut).map(([what, n]) => n + ' ' + what);
  if (left.length > 0) facts.push('the oldest are left out: ' + left.join(', '));
  $('facts').textContent = facts.filter((fact) => fact !== null).join(' · ');
  $('finding').textContent = violation === null ? 'Nothing was violated in this run.' : violation.message;
  if (violation === null) $('finding').classList.add('none');
  for (const o of offending) item($('offenders'), o.id, o.lane === undefined ? o.call : name(o.lane) + ': ' + o.call + ' → ' + o.result, o.called).dataset.call = o.id;
  if (violation !== null) item($('offenders'), '✗', 'found' + (violation.node === null ? '' : ' in ' + violation.node), violation.timeMs);
  $('shrunk').textContent = data.shrunk === null ? '' : data.shrunk;
  if (data.uncontrolled !== null) {
    $('uncontrolled').hidden = false;
    $('uncontrolled').textContent = 'this run may not repeat exactly:\n' + data.uncontrolled;
  }
  data.story.forEach((step, i) => { item($('story'), String(i + 1), step.text, step.timeMs).dataset.step = i + 1; });
  if (data.story.length === 0) $('story').textContent = 'No faults: the run needs nothing but the order of events.';
  if (data.marks.length > 0) { $('marks-section').hidden = false; for (const [at, words] of data.marks) item($('marks'), '◆', text(words), at); }
  if (data.replay !== null) { $('copy').hidden = false; $('copy').title = data.replay; }
  const key = (color, words) => { const span = make($('legend'), 'span'); make(span, 'i').style.background = 'var(--' + color + ')'; span.append(words); };
  if (states.some((s) => roleClass(s.role) !== '')) { key('leader', 'leader'); key('candidate', 'candidate'); }
  key('message', 'message'); key('late', 'late'); key('lost', 'never arrives'); key('down', 'down'); key('pause', 'paused'); key('cut', 'links cut');
  if (syncs.length > 0) key('quiet', 'disk sync');
  if (operations.length > 0) { key('good', 'call returned'); key('unknown', 'call without an answer'); }
  if (violation !== null) key('bad', 'the finding');
  data.nodes.forEach((node, lane) => {
    const chip = make($('chips'), 'button', '', node);
    chip.dataset.lane = lane;
    chip.title = 'Show or hide; with Alt: this one alone';
    chip.addEventListener('click', (event) => {
      if (event.altKey) { view.shown = view.shown.map((_, i) => i === lane); drawDiagram(); drawPanels(true); }
      else toggleLane(lane);
    });
  });
};

const cards = [];
const makeCards = () => data.nodes.forEach((node, lane) => {
  if (!isNode(lane)) return;
  const card = make($('nodes-panel'), 'article', 'card');
  card.dataset.node = node;
  const title = make(card, 'h3', '', node);
  cards.push({ lane, card, badge: make(title, 'span', 'badge'), fields: make(card, 'dl'), log: make(card, 'div', 'log'), key: '' });
});
const fillCards = () => {
  const at = now();
  // Those that say what they are come first, the others are mostly clients.
  for (const c of cards) {
    const life = lifeAt(c.lane, at), state = life === null ? null : stateAt(c.lane, at), paused = pausedAt(c.lane, at);
    const count = firstFrom(linesOf[c.lane], at + 0.0005, (l) => l.at);
    const call = lastBefore(callsOf[c.lane], at, (o) => o.called);
    const key = [life && life.number, call && call.id + (call.ended !== null && call.ended <= at), state && state.at, paused, count, view.shown[c.lane], state !== null && state.at === at].join();
    if (key === c.key) continue;
    c.key = key;
    c.card.hidden = !view.shown[c.lane];
    const recent = state !== null && state.at >= (life === null ? 0 : life.from) ? state : null;
    c.card.className = 'card ' + (life === null ? 'down' : paused ? 'paused' : recent === null ? '' : roleClass(recent.role));
    const before = firstFrom(livesOf[c.lane], at + 0.0005, (l) => l.from);
    c.badge.textContent = life === null ? (before === 0 ? 'not started' : 'down') : (paused ? 'paused, ' : '') + 'life ' + life.number;
    c.fields.replaceChildren();
    for (const [k, v] of recent === null ? [] : recent.fields) {
      make(c.fields, 'dt', '', k);
      make(c.fields, 'dd', recent.changed.has(k) && recent.at === at ? 'changed' : '', v);
    }
    if (call !== null) {
      make(c.fields, 'dt', '', call.ended !== null && call.ended <= at ? 'last call' : 'waits for');
      const words = call.call + (call.ended !== null && call.ended <= at ? ' → ' + (call.outcome === 'returned' ? '' : call.outcome + ': ') + call.result : '');
      make(c.fields, 'dd', 'wide' + (call.offending ? ' offending' : ''), words);
    }
    c.log.replaceChildren();
    c.log.hidden = count === 0;
    for (const l of linesOf[c.lane].slice(Math.max(count - 8, 0), count)) make(c.log, 'div', l.level, seconds(l.at) + ' ' + l.text);
    c.log.scrollTop = c.log.scrollHeight;
  }
};

const matches = (h) => h.lanes.length === 0 || h.lanes.some((lane) => view.shown[lane]);
const isHit = (h) => {
  const wanted = view.search.toLowerCase();
  return wanted !== '' && (h.words.toLowerCase().includes(wanted) || (h.lanes[0] !== undefined && name(h.lanes[0]).toLowerCase() === wanted));
};
let shownList = happenings;
let rowsKey = '';
const fillHappenings = (force) => {
  if (force) shownList = view.shown.every((shown) => shown) ? happenings : happenings.filter(matches);
  const at = now();
  const middle = firstFrom(shownList, at, (h) => h.at);
  const from = Math.max(middle - 60, 0), to = Math.min(middle + 90, shownList.length);
  const key = [from, to, at].join();
  if (!force && key === rowsKey) return;
  rowsKey = key;
  const box = $('happenings');
  box.replaceChildren();
  let current = null;
  for (const h of shownList.slice(from, to)) {
    const row = make(box, 'div', 'row ' + h.kind + (h.at === at ? ' now' : h.at > at ? ' future' : '') + (isHit(h) ? ' hit' : ''));
    make(row, 'span', 't', seconds(h.at));
    make(row, 'span', 'n', h.lanes.length === 0 ? '' : shorten(name(h.lanes[0]), 8));
    make(row, 'span', 'w', h.words);
    row.addEventListener('click', () => goTo(h.at));
    if (h.at >= at && current === null) current = row;
  }
  if (current === null) current = box.lastElementChild;
  if (current !== null) box.scrollTop = current.offsetTop - box.offsetTop - box.clientHeight * 0.35;
};

const drawPanels = (force) => {
  const at = now();
  $('clock').replaceChildren(seconds(at));
  make($('clock'), 'small', '', 'step ' + view.step.toLocaleString('en') + ' of ' + (moments.length - 1).toLocaleString('en'));
  $('slider').value = String(view.step);
  for (const li of $('story').querySelectorAll('li')) {
    const { timeMs } = data.story[Number(li.dataset.step) - 1];
    li.classList.toggle('past', timeMs <= at);
    li.classList.toggle('now', timeMs === at);
  }
  for (const chip of $('chips').children) chip.setAttribute('aria-pressed', String(view.shown[Number(chip.dataset.lane)]));
  fillCards();
  fillHappenings(force === true);
};

/** To a step of the run; the diagram follows when it would be left. */
const setStep = (step) => {
  view.step = Math.min(Math.max(step, 0), moments.length - 1);
  const at = now(), span = view.to - view.from;
  if (at < view.from || at > view.to) show(at - span * 0.3, at + span * 0.7);
  else drawCursor();
  drawPanels(false);
};
const goTo = (ms) => setStep(Math.min(firstFrom(moments, ms, (m) => m), moments.length - 1));
const nearestStep = (ms) => {
  const after = Math.min(firstFrom(moments, ms, (m) => m), moments.length - 1);
  return after > 0 && ms - moments[after - 1] < moments[after] - ms ? after - 1 : after;
};
const toFault = (direction) => {
  const at = now();
  const times = data.story.map((s) => s.timeMs).concat(violationMs === null ? [] : [violationMs]);
  const next = direction > 0 ? times.find((ms) => ms > at) : times.filter((ms) => ms < at).pop();
  if (next !== undefined) goTo(next);
};
const play = () => {
  if (view.playing !== null) { clearInterval(view.playing); view.playing = null; }
  else view.playing = setInterval(() => { if (view.step >= moments.length - 1) play(); else setStep(view.step + 1); }, 120);
  $('play').textContent = view.playing === null ? '▶ play' : '❚❚ hold';
};
const search = (next) => {
  view.search = $('search').value.trim();
  const hits = view.search === '' ? [] : shownList.filter(isHit);
  $('found').textContent = view.search === '' ? '' : hits.length.toLocaleString('en') + (hits.length === 1 ? ' hit' : ' hits');
  if (next !== 0 && hits.length > 0) {
    const at = now();
    const hit = next > 0 ? hits.find((h) => h.at > at) || hits[0] : hits.filter((h) => h.at < at).pop() || hits[hits.length - 1];
    goTo(hit.at);
  }
  drawDiagram();
  fillHappenings(true);
};
const showFinding = () => { const [from, to] = findingWindow(); show(from, to); };
const setTheme = () => {
  const root = document.documentElement;
  const dark = root.dataset.theme === undefined ? matchMedia('(prefers-color-scheme: dark)').matches : root.dataset.theme === 'dark';
  root.dataset.theme = dark ? 'light' : 'dark';
};

const press = {
  first: () => setStep(0), last: () => setStep(moments.length - 1), back: () => setStep(view.step - 1), forward: () => setStep(view.step + 1),
  'fault-back': () => toFault(-1), 'fault-forward': () => toFault(1), play,
  'zoom-in': () => zoom(0.5, now()), 'zoom-out': () => zoom(2, now()), 'zoom-all': () => show(0, endMs * 1.02), 'zoom-finding': () => { showFinding(); drawPanels(true); },
  theme: setTheme, 'help-button': () => $('help').showModal(),
  copy: () => { navigator.clipboard.writeText(data.replay).then(() => { $('copy').textContent = 'copied'; }, () => { prompt('The command that repeats this run', data.replay); }); },
};
for (const id in press) $(id).addEventListener('click', press[id]);
$('slider').max = String(moments.length - 1);
$('slider').addEventListener('input', () => setStep(Number($('slider').value)));
$('search').addEventListener('input', () => search(0));
const keys = {
  ArrowRight: () => setStep(view.step + 1), ArrowLeft: () => setStep(view.step - 1), Home: press.first, End: press.last, ' ': play,
  '+': press['zoom-in'], '=': press['zoom-in'], '-': press['zoom-out'], 0: press['zoom-all'], f: press['zoom-finding'], t: setTheme,
  '/': () => $('search').focus(), '?': press['help-button'],
};
document.addEventListener('keydown', (event) => {
  if (event.target === $('search')) {
    if (event.key === 'Enter') search(event.shiftKey ? -1 : 1);
    if (event.key === 'Escape') { $('search').value = ''; search(0); $('search').blur(); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || $('help').open) return;
  const action = event.shiftKey && event.key === 'ArrowRight' ? () => toFault(1) : event.shiftKey && event.key === 'ArrowLeft' ? () => toFault(-1) : keys[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
});
const diagram = $('diagram');
let drag = null;
const inDiagram = (event) => { const box = $('diagram-svg').getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
diagram.addEventListener('pointerdown', (event) => { drag = { x: inDiagram(event)[0], from: view.from, to: view.to, moved: false }; });
addEventListener('pointerup', (event) => {
  if (drag !== null && !drag.moved && diagram.contains(event.target) && !event.target.closest('.faultflag, .op, .lanename')) setStep(nearestStep(layout.time(inDiagram(event)[0])));
  drag = null;
});
diagram.addEventListener('pointermove', (event) => {
  const [x, y] = inDiagram(event);
  if (drag !== null) {
    if (Math.abs(x - drag.x) > 4) drag.moved = true;
    const by = ((drag.x - x) / (layout.width - gutter)) * (drag.to - drag.from);
    if (drag.moved) show(drag.from + by, drag.to + by);
    return;
  }
  const words = tipAt(x, y), tip = $('tip');
  tip.hidden = words === null;
  if (words === null) return;
  tip.textContent = words;
  tip.style.left = Math.min(x + 14, Math.max(layout.width - 300, 0)) + 'px';
  tip.style.top = y + 16 + 'px';
});
diagram.addEventListener('pointerleave', () => { $('tip').hidden = true; });
diagram.addEventListener('wheel', (event) => {
  event.preventDefault();
  const [x] = inDiagram(event);
  if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) { const by = (event.deltaX / layout.width) * (view.to - view.from); show(view.from + by, view.to + by); }
  else zoom(Math.pow(1.0015, event.deltaY), layout.time(x));
}, { passive: false });
$('overview').addEventListener('click', (event) => {
  const at = ((event.clientX - $('overview').getBoundingClientRect().left) / $('overview').clientWidth) * endMs;
  const span = view.to - view.from;
  show(at - span / 2, at + span / 2);
  setStep(nearestStep(at));
});
addEventListener('resize', () => { drawOverview(); drawDiagram(); });

fillHeader();
makeCards();
measure();
drawOverview();
showFinding();
view.step = nearestStep(offending.length > 0 ? Math.max(...offending.map((o) => o.ended === null ? o.called : o.ended)) : violationMs === null ? 0 : violationMs);
drawCursor();
drawPanels(true);
`;
