/** Light and dark from one set of names; a button may overrule what the system prefers. */
export const pageStyle = `
:root {
  --paper: #f7f8fa; --panel: #ffffff; --line: #dfe3ea; --ink: #1b2330; --quiet: #667085; --lane: #aab3c2;
  --accent: #2458d6; --message: #8f9bb3; --late: #c77700; --lost: #d1495b; --bad: #c4142e; --badpaper: #fdecef;
  --good: #2f8f5b; --goodpaper: #e3f4ea; --fault: #b35c00; --faultpaper: #fff3e0; --down: #c9ced8; --pause: #8aa7e8;
  --cut: #e0566b; --leader: #2458d6; --candidate: #c77700; --follower: #aab3c2; --unknown: #8a63d2; --hit: #ffe58a;
  --shadow: 0 1px 2px rgba(20, 30, 50, .06), 0 4px 14px rgba(20, 30, 50, .05);
}
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) {
  --paper: #10141b; --panel: #181e27; --line: #2a3240; --ink: #e6eaf2; --quiet: #94a0b4; --lane: #4d586b;
  --accent: #7aa2ff; --message: #6b7890; --late: #f0ad4e; --lost: #ff7a8a; --bad: #ff6b7d; --badpaper: #3a1820;
  --good: #5cc28b; --goodpaper: #17301f; --fault: #ffb457; --faultpaper: #33240f; --down: #333c4a; --pause: #3d5796;
  --cut: #e0566b; --leader: #7aa2ff; --candidate: #f0ad4e; --follower: #4d586b; --unknown: #b79bf0; --hit: #6b5a10;
  --shadow: 0 1px 2px rgba(0, 0, 0, .4);
} }
:root[data-theme=dark] {
  color-scheme: dark;
  --paper: #10141b; --panel: #181e27; --line: #2a3240; --ink: #e6eaf2; --quiet: #94a0b4; --lane: #4d586b;
  --accent: #7aa2ff; --message: #6b7890; --late: #f0ad4e; --lost: #ff7a8a; --bad: #ff6b7d; --badpaper: #3a1820;
  --good: #5cc28b; --goodpaper: #17301f; --fault: #ffb457; --faultpaper: #33240f; --down: #333c4a; --pause: #3d5796;
  --cut: #e0566b; --leader: #7aa2ff; --candidate: #f0ad4e; --follower: #4d586b; --unknown: #b79bf0; --hit: #6b5a10;
  --shadow: 0 1px 2px rgba(0, 0, 0, .4);
}
:root[data-theme=light] { color-scheme: light; }
* { box-sizing: border-box; }
html, body { height: 100%; margin: 0; }
body {
  background: var(--paper); color: var(--ink); display: flex; flex-direction: column;
  font: 13px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums;
}
header {
  display: flex; flex-wrap: wrap; align-items: center; gap: 4px 18px; padding: 10px 16px;
  background: var(--panel); border-bottom: 1px solid var(--line);
}
.headline { display: flex; align-items: center; gap: 10px; }
h1 { font-size: 17px; margin: 0; font-weight: 650; }
h2 { font-size: 11px; margin: 0 0 6px; font-weight: 600; text-transform: uppercase; letter-spacing: .06em; color: var(--quiet); }
.verdict { font-weight: 700; font-size: 11px; padding: 3px 9px; border-radius: 99px; text-transform: uppercase; letter-spacing: .05em; }
.verdict.bad { background: var(--bad); color: var(--panel); }
.verdict.good { background: var(--good); color: var(--panel); }
.facts { margin: 0; color: var(--quiet); flex: 1; min-width: 200px; }
.tools, .group { display: flex; gap: 6px; align-items: center; flex-wrap: wrap; }
button, input[type=search] {
  font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 7px; padding: 4px 8px; white-space: nowrap;
}
button { cursor: pointer; }
button:hover { border-color: var(--accent); color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
main { flex: 1; min-height: 0; display: grid; grid-template-columns: 290px minmax(0, 1fr) 316px; }
aside { overflow: auto; padding: 14px 16px; }
#story-panel { border-right: 1px solid var(--line); }
#nodes-panel { border-left: 1px solid var(--line); padding: 12px; }
aside section + section { margin-top: 20px; }
.finding {
  margin: 0 0 8px; padding: 9px 11px; border-radius: 8px; background: var(--badpaper); border-left: 3px solid var(--bad);
  white-space: pre-wrap; overflow-wrap: anywhere; max-height: 240px; overflow: auto;
}
.finding.none { background: var(--goodpaper); border-color: var(--good); }
.quiet { color: var(--quiet); margin: 0 0 8px; }
.story, .offenders { list-style: none; margin: 0; padding: 0; }
.story li, .offenders li {
  display: grid; grid-template-columns: 26px 1fr; gap: 8px; padding: 5px 6px; border-radius: 7px; cursor: pointer; overflow-wrap: anywhere;
}
.story li:hover, .offenders li:hover { background: color-mix(in srgb, var(--accent) 9%, transparent); }
.story li.past .number { background: var(--fault); color: var(--panel); }
.story li.now { background: var(--faultpaper); }
.story .when, .offenders .when { display: block; color: var(--quiet); font-size: 11.5px; }
.number {
  width: 22px; height: 20px; border-radius: 6px; background: var(--faultpaper); color: var(--fault); font-weight: 700; font-size: 11px;
  display: grid; place-items: center;
}
.offenders .number { background: var(--badpaper); color: var(--bad); }
#stage { display: flex; flex-direction: column; min-width: 0; min-height: 0; padding: 10px 14px; gap: 6px; }
.bar { display: flex; align-items: center; gap: 12px; flex-wrap: wrap; }
.bar .right { margin-left: auto; }
.bar.below { margin-top: 2px; } .bar.below h2 { margin: 0; }
#clock { font-weight: 650; font-size: 14px; }
#clock small { color: var(--quiet); font-weight: 400; margin-left: 8px; font-size: 12px; }
#slider { width: 100%; margin: 2px 0 0; accent-color: var(--accent); }
#overview, #diagram { background: var(--panel); border: 1px solid var(--line); border-radius: 9px; position: relative; }
#overview { height: 38px; flex: none; cursor: pointer; overflow: hidden; }
#diagram { flex: 1 1 62%; min-height: 200px; overflow-x: hidden; overflow-y: auto; box-shadow: var(--shadow); cursor: crosshair; }
svg { display: block; width: 100%; }
#overview svg { height: 36px; }
#tip {
  position: absolute; pointer-events: none; background: var(--ink); color: var(--panel); padding: 5px 9px; border-radius: 7px;
  font-size: 12px; max-width: 380px; white-space: pre-line; z-index: 3; overflow-wrap: anywhere;
}
.legend { display: flex; flex-wrap: wrap; gap: 3px 14px; color: var(--quiet); font-size: 11.5px; }
.legend i { display: inline-block; width: 18px; height: 9px; border-radius: 2px; margin-right: 5px; vertical-align: baseline; }
.chips { display: flex; flex-wrap: wrap; gap: 4px; }
.chips button { padding: 1px 9px; border-radius: 99px; font-size: 12px; }
.chips button[aria-pressed=false] { opacity: .45; text-decoration: line-through; }
#search { width: 220px; }
#found { color: var(--quiet); min-width: 60px; }
#happenings {
  flex: 1 1 22%; min-height: 110px; overflow: auto; background: var(--panel); border: 1px solid var(--line); border-radius: 9px; padding: 4px 0;
}
.row { display: grid; grid-template-columns: 92px 64px 1fr; gap: 10px; padding: 2px 12px; cursor: pointer; border-left: 3px solid transparent; }
.row:hover { background: color-mix(in srgb, var(--accent) 8%, transparent); }
.row.now { background: color-mix(in srgb, var(--accent) 14%, transparent); border-left-color: var(--accent); }
.row.hit { background: var(--hit); }
.row .t, .row .n { color: var(--quiet); } .row .n { font-weight: 600; }
.row .w { overflow-wrap: anywhere; }
.row.fault .w { color: var(--fault); font-weight: 600; } .row.bad .w { color: var(--bad); font-weight: 650; }
.row.lost .w { color: var(--lost); } .row.future { opacity: .62; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 9px; padding: 9px 11px; margin-bottom: 9px; border-left: 4px solid var(--lane); box-shadow: var(--shadow); }
.card.down { opacity: .7; border-left-style: dashed; } .card.leader { border-left-color: var(--leader); }
.card.candidate { border-left-color: var(--candidate); } .card.paused { border-left-color: var(--pause); }
.card h3 { margin: 0; font-size: 13.5px; display: flex; gap: 8px; align-items: baseline; }
.card h3 .badge { font-size: 11px; font-weight: 600; color: var(--quiet); margin-left: auto; }
.card.down h3 .badge { color: var(--bad); } .card.paused h3 .badge { color: var(--accent); }
.card dl { display: grid; grid-template-columns: max-content minmax(0, 1fr) max-content minmax(0, 1fr); gap: 0 8px; margin: 5px 0 0; }
.card dt { color: var(--quiet); font-size: 12px; } .card dd { margin: 0; font-weight: 600; overflow-wrap: break-word; }
.card dd.changed { background: var(--hit); border-radius: 4px; padding: 0 3px; margin: 0 -3px; justify-self: start; }
.card dd.wide { grid-column: 2 / -1; font-weight: 400; } .card dd.offending { color: var(--bad); font-weight: 650; }
.card .log { margin: 6px 0 0; padding: 6px 0 0; border-top: 1px solid var(--line); font: 11px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; color: var(--quiet); max-height: 110px; overflow: auto; }
.card .log div { overflow-wrap: anywhere; } .card .log .warn { color: var(--late); } .card .log .error { color: var(--bad); }
.lanename { fill: var(--ink); font-weight: 650; font-size: 12.5px; cursor: pointer; }
.tick, .cursorlabel { paint-order: stroke; stroke: var(--panel); stroke-width: 3px; } .tick { fill: var(--quiet); font-size: 10.5px; } .grid { stroke: var(--line); stroke-width: 1; }
.laneline { stroke-width: 3; stroke: var(--follower); stroke-linecap: butt; fill: none; }
.laneline.leader { stroke: var(--leader); stroke-width: 6; } .laneline.candidate { stroke: var(--candidate); stroke-width: 4; stroke-dasharray: 5 3; }
.down { fill: url(#hatch); stroke: var(--down); } .pause { fill: var(--pause); fill-opacity: .4; stroke: var(--pause); }
.cutband { fill: var(--cut); } .sync { fill: var(--quiet); } .sync.failed { fill: var(--bad); }
.msg { fill: none; stroke: var(--message); stroke-width: 1; stroke-opacity: .75; } .msg.late { stroke: var(--late); stroke-opacity: .9; }
.msg.lost { stroke: var(--lost); stroke-dasharray: 3 3; } .msg.flying { stroke: var(--accent); stroke-width: 2; stroke-opacity: 1; }
.msg.hit { stroke: var(--late); stroke-width: 3; stroke-opacity: 1; }
.arrow { fill: var(--message); } .lostcross { stroke: var(--lost); stroke-width: 1.6; fill: none; }
.msglabel { fill: var(--quiet); font-size: 10px; paint-order: stroke; stroke: var(--panel); stroke-width: 3px; }
.faultline { stroke: var(--fault); stroke-width: 1; stroke-dasharray: 2 3; stroke-opacity: .8; } .faultflag rect { fill: var(--faultpaper); stroke: var(--fault); }
.faultflag text { fill: var(--fault); font-size: 10.5px; font-weight: 700; text-anchor: middle; } .faultflag { cursor: pointer; }
.op { cursor: pointer; } .op rect { fill: var(--goodpaper); stroke: var(--good); } .op.failed rect { fill: var(--paper); stroke: var(--quiet); }
.op.unknown rect { fill: none; stroke: var(--unknown); stroke-dasharray: 4 3; } .op.offending rect { fill: var(--badpaper); stroke: var(--bad); stroke-width: 2.5; }
.op text { font-size: 10.5px; fill: var(--ink); pointer-events: none; } .op.offending text { fill: var(--bad); font-weight: 700; }
.cursor { stroke: var(--accent); stroke-width: 1.5; } .cursorlabel { fill: var(--accent); font-size: 11px; font-weight: 700; }
.violation { stroke: var(--bad); stroke-width: 2; } .violationlabel { fill: var(--bad); font-weight: 700; font-size: 11.5px; }
.lifemark { font-size: 12px; font-weight: 700; } .lifemark.crash { fill: var(--bad); } .lifemark.start { fill: var(--good); }
.window { fill: var(--accent); fill-opacity: .12; stroke: var(--accent); }
dialog { border: 1px solid var(--line); border-radius: 12px; background: var(--panel); color: var(--ink); padding: 18px 22px; }
dialog td { padding: 3px 14px 3px 0; } kbd { border: 1px solid var(--line); border-bottom-width: 2px; border-radius: 5px; padding: 0 6px; font: inherit; }
@media (max-width: 1100px) { main { grid-template-columns: 240px minmax(0, 1fr); } #nodes-panel { grid-column: 1 / -1; border-left: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 8px; } main { overflow: auto; } #stage { min-height: 620px; } }
`;
