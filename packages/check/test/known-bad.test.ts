import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type JudgedModel, judgeHistory, type Judgement, watchGuarantees } from '@flotilla/check';

/**
 * By folder: the model, the checker's name in rules, and the rules of which each must have a history that breaks it.
 * A file is named after the rule it breaks, where there is more than one.
 */
const folders: Readonly<Record<string, readonly [JudgedModel, checker: string, rules: readonly string[]]>> = {
  register: ['register', 'linearizability', ['register']],
  kv: ['kv', 'linearizability', ['key-value']],
  etcd: [
    'etcd',
    'revisions',
    [
      'unique',
      'dense',
      'answer',
      'real-time',
      'shape',
      'future',
      'persisted',
      'unexplained',
      'lost-write',
      'read-of-compacted',
      'never-compacted',
      'not-future',
    ],
  ],
  watch: ['etcd', 'watch', [...watchGuarantees, 'event', 'header']],
  // Lists are read by their keys, so there is no G2: that is for what a range did not find.
  'list-append': [
    'list-append',
    'list-append',
    [
      'G0',
      'G0-realtime',
      'G1a',
      'G1b',
      'G1c',
      'G-single',
      'G-single-realtime',
      'G2-item',
      'internal',
      'made-up',
      'duplicate-element',
      'incompatible-orders',
      'own-order',
    ],
  ],
  // All that a transaction writes has one version, so writes alone make a cycle only by the clock.
  'rw-register': [
    'rw-register',
    'registers',
    [
      'G0-realtime',
      'G1a',
      'G1b',
      'G1c',
      'G-single',
      'G-single-realtime',
      'G2-item',
      'G2',
      'internal',
      'made-up',
      'two-versions',
      'same-version',
    ],
  ],
};

interface Example {
  readonly folder: string;
  readonly name: string;
  readonly judge: (realTime?: boolean) => Judgement;
  /** The checker's and the rule's name. */
  readonly rule: string;
}

function examples(kind: 'known-bad' | 'near-misses'): Example[] {
  return Object.entries(folders).flatMap(([folder, [model, checker, rules]]) => {
    const directory = fileURLToPath(new URL(`${kind}/${folder}`, import.meta.url));
    return readdirSync(directory).map((file) => {
      const text = readFileSync(`${directory}/${file}`, 'utf8');
      const name = file.replace('.ndjson', '');
      const named = rules.filter((rule) => name.startsWith(rule)).sort((a, b) => b.length - a.length)[0];
      const rule = `${checker}/${rules.length === 1 ? rules[0] : named}`;
      return { folder, name, rule, judge: (realTime = true) => judgeHistory(model, text, { realTime }) };
    });
  });
}

function rulesOf({ verdict }: Judgement): readonly string[] {
  return verdict.outcome === 'illegal' ? verdict.violations.map(({ rule }) => rule) : [verdict.outcome];
}

const bad = examples('known-bad');

describe('a history that is known to be bad is refused, by its rule and with its drawing', () => {
  it.each(bad)('$folder: $name', ({ judge, rule }) => {
    const judgement = judge();
    expect(rulesOf(judgement)).toContain(rule);
    expect(judgement.text()).toContain(rule);
    expect(judgement.page('known')).toContain('<svg');
  });
});

it('each rule of each checker has one', () => {
  const covered = new Set(bad.map(({ rule }) => rule));
  const wanted = Object.values(folders).flatMap(([, checker, rules]) =>
    rules.map((rule) => `${checker}/${rule}`),
  );
  expect(wanted.filter((rule) => !covered.has(rule))).toEqual([]);
});

it('without real time, transactions that only the clock forbids are right, and the others are not', () => {
  const transactions = bad.filter(({ folder }) => folder === 'list-append' || folder === 'rw-register');
  const right = transactions.filter(({ judge }) => judge(false).verdict.outcome === 'ok');
  expect(right.map(({ rule }) => rule)).toEqual(
    transactions.filter(({ rule }) => rule.endsWith('-realtime')).map(({ rule }) => rule),
  );
});

describe('a history that only looks bad is accepted', () => {
  it.each(examples('near-misses'))('$folder: $name', ({ judge }) => {
    expect(rulesOf(judge())).toEqual(['ok']);
  });
});
