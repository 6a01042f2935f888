/** The fixed parts of a report. What they hold is put in by the scripts, as text and never as markup. */
export const pageBody = `
<header>
  <div class="headline">
    <span class="verdict" id="verdict"></span>
    <h1 id="title"></h1>
  </div>
  <p class="facts" id="facts"></p>
  <div class="tools">
    <button id="copy" hidden title="Copy the command that repeats this run"><span>copy replay command</span></button>
    <button id="help-button" aria-expanded="false" title="Keys (?)">keys</button>
    <button id="theme" title="Light or dark (t)">light / dark</button>
  </div>
</header>
<main>
  <aside id="story-panel">
    <section>
      <h2>The finding</h2>
      <p id="finding" class="finding"></p>
      <ol id="offenders" class="offenders"></ol>
    </section>
    <section>
      <h2>What was done to the run</h2>
      <p id="shrunk" class="quiet"></p>
      <pre id="uncontrolled" class="quiet" hidden></pre>
      <ol id="story" class="story"></ol>
    </section>
    <section id="marks-section" hidden>
      <h2>Situations that were met</h2>
      <ol id="marks" class="story"></ol>
    </section>
  </aside>
  <section id="stage" aria-label="Space-time diagram">
    <div class="bar">
      <div class="group">
        <button id="first" title="To the start (Home)">|◀</button>
        <button id="fault-back" title="The fault before (Shift+←)">⇤ fault</button>
        <button id="back" title="One step back (←)">◀ back</button>
        <button id="play" title="Let it run (space)">▶ play</button>
        <button id="forward" title="One step on (→)">step ▶</button>
        <button id="fault-forward" title="The next fault (Shift+→)">fault ⇥</button>
        <button id="last" title="To the end (End)">▶|</button>
      </div>
      <output id="clock"></output>
      <div class="group right">
        <button id="zoom-out" title="See more time (−)">−</button>
        <button id="zoom-in" title="See less time (+)">+</button>
        <button id="zoom-all" title="See the whole run (0)">whole run</button>
        <button id="zoom-finding" title="See the finding (f)">finding</button>
      </div>
    </div>
    <input id="slider" type="range" min="0" value="0" step="1" aria-label="Step of the run">
    <div id="overview"><svg id="overview-svg" role="img" aria-label="The whole run"></svg></div>
    <div id="diagram"><svg id="diagram-svg" role="img" aria-label="Nodes and messages over time"></svg><div id="tip" hidden></div></div>
    <div class="legend" id="legend"></div>
    <div class="bar below">
      <h2 id="instant-title">What happens around this instant</h2>
      <div class="group right">
        <input id="search" type="search" placeholder="search words or a node ( / )" aria-label="Search">
        <output id="found"></output>
      </div>
    </div>
    <div class="chips" id="chips" aria-label="Nodes that are shown"></div>
    <div id="happenings" tabindex="0"></div>
  </section>
  <aside id="nodes-panel" aria-label="State and log of each node"></aside>
</main>
<dialog id="help">
  <h2>Keys</h2>
  <table>
    <tr><td><kbd>←</kbd> <kbd>→</kbd></td><td>one step back, on</td></tr>
    <tr><td><kbd>Shift</kbd>+<kbd>←</kbd> <kbd>→</kbd></td><td>the fault before, the next one</td></tr>
    <tr><td><kbd>Home</kbd> <kbd>End</kbd></td><td>start and end of the run</td></tr>
    <tr><td><kbd>space</kbd></td><td>let it run, hold it</td></tr>
    <tr><td><kbd>+</kbd> <kbd>−</kbd> <kbd>0</kbd></td><td>less time, more time, the whole run</td></tr>
    <tr><td><kbd>f</kbd></td><td>the finding</td></tr>
    <tr><td><kbd>/</kbd></td><td>search; <kbd>Enter</kbd> goes to the next hit</td></tr>
    <tr><td><kbd>t</kbd></td><td>light or dark</td></tr>
    <tr><td>drag, wheel</td><td>move and zoom the diagram</td></tr>
  </table>
  <form method="dialog"><button>close</button></form>
</dialog>
`;
