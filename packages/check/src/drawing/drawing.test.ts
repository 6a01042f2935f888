import { describe, expect, it } from 'vitest';
import { History } from '../history.ts';
import { checkLinearizability } from '../linearizability.ts';
import { registerModel, type RegisterOperation, type RegisterResult } from '../models/register.ts';
import { drawnPrefix, type DrawnFinding } from './drawn-history.ts';
import { drawPage } from './page.ts';
import { drawSvg } from './svg.ts';
import { drawText } from './text.ts';

/** `client@from-to`: a write of `=value`, or a read of a value; `to` may be left out. */
function finding(...rows: readonly string[]): DrawnFinding {
  let now = 0;
  const history = new History<RegisterOperation, RegisterResult>(() => now);
  const ends: { readonly at: number; readonly end: () => void }[] = [];
  const parsed = rows.map((row) => /^(\d+)@(\d+)-(\d*) (=?)(.*)$/.exec(row)!.slice(1));
  const begins = parsed.map(([client, from, to, writes, value = '']) => ({
    at: Number(from),
    end: () => {
      const id = history.call(
        Number(client),
        writes === '=' ? { type: 'write', key: 'x', value } : { type: 'read', key: 'x' },
      );
      const result = writes === '=' ? { type: 'write' as const } : { type: 'read' as const, value };
      if (to !== '') ends.push({ at: Number(to), end: () => history.returned(id, result) });
    },
  }));
  for (now = 0; now < 1000; now += 1) {
    for (const { at, end } of begins) if (at === now) end();
    for (const { at, end } of ends) if (at === now) end();
  }
  const { failures } = checkLinearizability(registerModel, history.calls);
  return drawnPrefix(registerModel, history.calls, failures[0]!);
}

const stale = ['1@1-4 =a', '2@2-6 =b', '1@7-9 b', '2@8-10 a', '3@3-12 q'] as const;

describe('the drawing of a history that cannot be put in order', () => {
  it('as text has the longest prefix in its order, the call without a place, and what is open beside it', () => {
    expect(drawText(finding(...stale))).toBe(
      [
        'register, part "x"',
        '  3 calls can be put in order; call 4, which was over before any other that is left, has no place after them',
        '      1 o--|       client 1 [1, 4] call 0: write "a"',
        '      2  o--|      client 2 [2, 6] call 1: write "b"',
        '      3      o-|   client 1 [7, 9] call 3: read -> "b"',
        // Crossed out: the mark of a call without a place, see `text.ts`.
        '    XXX       |-|  client 2 [8, 10] call 4: read -> "a"   <- has no place',
        '      -   |------| client 3 [3, 12] call 2: read -> "q"',
        '  state after the calls in order: "b"',
      ].join('\n'),
    );
  });

  it('as SVG has a bar for each call in the row of its client, and numbers in the order', () => {
    const svg = drawSvg(finding(...stale));
    const bars = [
      ...svg.matchAll(/<g class="([a-z-]+)" data-call="(\d)">.*?<rect [^>]* x="(\d+)" y="(\d+)"/g),
    ];
    expect(bars.map(([, kind, id]) => `${id} ${kind}`)).toEqual([
      '0 in-order',
      '3 in-order',
      '1 in-order',
      '4 misfit',
      '2 aside',
    ]);
    const rowOf = new Map(bars.map(([, , id, , y]) => [id, y]));
    expect(rowOf.get('0')).toBe(rowOf.get('3'));
    expect(rowOf.get('0')).not.toBe(rowOf.get('1'));
    const places = [...svg.matchAll(/data-place="(\d)"><circle.*?<text [^>]*>([^<]+)</g)];
    expect(places.map(([, id, place]) => `${id} ${place}`)).toEqual(['0 1', '1 2', '3 3', '4 ✗']);
    expect(/<polyline class="order" points="([^"]+)"/.exec(svg)![1]!.split(' ')).toHaveLength(3);
  });

  it('puts what one client has open at once into rows of its own', () => {
    const svg = drawSvg(finding('1@1-9 =a', '1@2-8 =b', '1@3-7 =c', '2@10-12 z'));
    const tops = [...svg.matchAll(/<rect [^>]* y="(\d+)"/g)].map(([, y]) => y);
    expect(new Set(tops).size).toBe(4);
  });

  it('draws no more than the end of a long prefix', () => {
    const rows = Array.from({ length: 100 }, (_, at) => `1@${2 * at + 1}-${2 * at + 2} =v${at}`);
    const drawn = finding(...rows, '1@210-211 z');
    expect(drawn.calls).toHaveLength(41);
    expect(drawn.before).toBe(60);
    expect(drawn.calls[0]).toMatchObject({ id: 60, place: 61 });
    expect(drawText(drawn)).toContain('… 60 calls in order before these');
  });

  it('is one page that loads nothing and in which text stays text', () => {
    const evil = finding('1@1-2 =<script>alert("a")</script>\u0000', '1@3-4 ]]>&');
    const page = drawPage({ title: '<b>', outcome: 'illegal', text: 'a < b' }, [evil]);
    expect(page).not.toMatch(/<script|<b>|<link|<img|@import|url\(/);
    expect(page).not.toContain('\u0000');
    expect(page.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:/);
    expect(page).toContain('&lt;script&gt;');
  });
});
