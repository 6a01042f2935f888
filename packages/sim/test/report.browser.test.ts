import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  Recorder,
  explore,
  fromEventLoop,
  renderReport,
  replayedTape,
  runScenario,
  storyOf,
} from '../src/index.ts';
import type { Report } from '../src/index.ts';
import { counterScenario } from '../src/examples/index.ts';
import { findChromium } from './chromium.ts';

const executablePath = findChromium('the report of a failing run in a browser');
const directory = mkdtempSync(join(tmpdir(), 'flotilla-report-'));
/** Machines that run the whole suite at once start a browser slowly. */
const patienceMs = 120_000;

/** A failing run, with the calls that a checker would name. */
async function failingReport(): Promise<Report> {
  const scenario = counterScenario(true);
  const { finding } = await explore({ scenario, from: 0, seeds: 200 });
  const recorder = new Recorder();
  const result = await runScenario(scenario, replayedTape(finding!.lanes), { recorder });
  const violation = { ...result.violation!, calls: [1], message: 'an <b>acknowledged</b> </script> write' };
  const call = { client: 'client', outcome: 'returned', call: 'add', result: '7' } as const;
  const at = violation.timeMs;
  recorder.operation({ ...call, id: 0, calledMs: at / 2, endedMs: at / 2 + 3 });
  recorder.operation({ ...call, id: 1, calledMs: at - 30, endedMs: at - 5, call: 'read the number' });
  const failing = { ...result, violation };
  const trace = recorder.trace(failing);
  return { scenario: scenario.name, seed: finding!.seed, result: failing, trace, shrunk: null, replay: 'x' };
}

describe.skipIf(executablePath === null)('the report of a failing run, in a browser', () => {
  let browser: Browser;
  let page: Page;
  let report: Report;
  const complaints: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    report = await fromEventLoop(failingReport);
    const path = join(directory, 'report.html');
    writeFileSync(path, renderReport(report));
    browser = await chromium.launch({
      executablePath: executablePath!,
      args: ['--no-sandbox', '--disable-gpu'],
      timeout: patienceMs,
    });
    page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    page.setDefaultTimeout(patienceMs);
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(`file://${path}`);
  }, patienceMs);

  afterAll(async () => {
    await browser.close();
    rmSync(directory, { recursive: true, force: true });
  }, patienceMs);

  const texts = (selector: string): Promise<string[]> => page.locator(selector).allTextContents();
  const time = async (): Promise<number> => Number.parseFloat((await texts('#clock'))[0] ?? '');

  test(
    'names the finding as text, draws it on the history, and stands at it',
    { timeout: patienceMs },
    async () => {
      expect(await texts('#title')).toEqual(['lost write']);
      expect(await texts('#finding')).toEqual(['an <b>acknowledged</b> </script> write']);
      expect(await page.locator('#diagram .op.offending').getAttribute('data-call')).toBe('1');
      expect(await page.locator('#diagram .op:not(.offending)').count()).toBe(0); // (long before what is looked at)
      const calls = await texts('#offenders li');
      expect(calls[0]).toContain('client: read the number → 7');
      const [, operation] = report.trace.operations;
      expect(await time()).toBeCloseTo(operation!.endedMs! / 1000, 2);
      await page.click('#zoom-all');
      expect(await page.locator('#diagram .op').count()).toBe(2);
      expect(await texts('#diagram .violationlabel')).toEqual(['✗ lost write']);
    },
  );

  test('tells every fault in words and shows them on the lanes', { timeout: patienceMs }, async () => {
    const told = await texts('#story li');
    const story = storyOf(report.trace);
    expect(report.trace.faults.length).toBeGreaterThan(0);
    expect(story.length).toBeGreaterThanOrEqual(report.trace.faults.length);
    for (const [i, step] of story.entries()) expect(told[i]).toContain(step.text);
    expect(await texts('#diagram .lanename')).toEqual(report.trace.nodes);
    expect(await page.locator('#diagram .faultflag').count()).toBeGreaterThan(0);
    const ended = report.trace.lives.filter(({ toMs }) => toMs !== null);
    expect(await page.locator('#diagram .lifemark.crash').count()).toBe(ended.length);
    expect(await page.locator('#diagram .down').count()).toBeGreaterThan(0);
    expect((await page.locator('#diagram path.msg').first().getAttribute('d'))?.length).toBeGreaterThan(100);
  });

  test(
    'steps back and forth by buttons, keys and the slider, and from fault to fault',
    { timeout: patienceMs },
    async () => {
      await page.click('#first');
      expect(await time()).toBe(0);
      await page.click('#forward');
      const one = await time();
      expect(one).toBeGreaterThan(0);
      await page.keyboard.press('ArrowRight');
      expect(await time()).toBeGreaterThan(one);
      await page.keyboard.press('ArrowLeft');
      expect(await time()).toBe(one);
      await page.click('#back');
      expect(await time()).toBe(0);
      const [first] = storyOf(report.trace);
      await page.keyboard.press('Shift+ArrowRight');
      expect(await time()).toBeCloseTo(first!.timeMs / 1000, 3);
      expect(await texts('#story li.now .number')).toContain('1');
      expect(await texts('#happenings .row.now.fault .w')).toContainEqual(
        expect.stringContaining(first!.text),
      );
      await page.locator('#slider').fill('3');
      expect((await texts('#clock small'))[0]).toMatch(/^step 3 of /);
      await page.keyboard.press('End');
      expect(await time()).toBeCloseTo(report.trace.violation!.timeMs / 1000, 3);
    },
  );

  test('says what a node was at the instant: down while it is down', { timeout: patienceMs }, async () => {
    const life = report.trace.lives.find(({ node, toMs }) => node === 'server' && toMs !== null);
    await page.evaluate('document.activeElement.blur()');
    await page.locator('#diagram .lifemark.crash').first().waitFor();
    const row = page.locator('#story li', {
      hasText: report.trace.faults.find(({ timeMs }) => timeMs === life!.toMs)!.text,
    });
    await row.first().click();
    expect(await texts('.card[data-node=server] .badge')).toEqual(['down']);
    expect(await texts('.card[data-node=client] .badge')).toEqual(['life 1']);
  });

  test('finds words and hides nodes', { timeout: patienceMs }, async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('crashes');
    expect((await texts('#found'))[0]).toMatch(/^\d+ hits?$/);
    await page.keyboard.press('Enter');
    expect(await texts('#happenings .row.now.hit .w')).toContain('crashes');
    await page.keyboard.press('Escape');
    await page.click('#chips button[data-lane="1"]');
    expect(await texts('#diagram .lanename')).toEqual(['server']);
    await page.click('#chips button[data-lane="1"]');
    await page.keyboard.press('t');
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark');
  });

  test('has asked the network for nothing and has complained of nothing', () => {
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !url.startsWith('file:') && !url.startsWith('data:'))).toEqual([]);
  });
});
