import { expect, test } from 'vitest';
import { exponentialBounds, Histogram } from './histogram.ts';
import { counter, gauge, histogram, labelled, numberText, Registry } from './registry.ts';

test('metrics are written in the format of Prometheus, sorted by name', () => {
  const seconds = new Histogram(exponentialBounds(0.5, 2, 3));
  for (const value of [0.1, 0.5, 0.6, 2, 99]) seconds.observe(value);
  const registry = new Registry([
    histogram('b_seconds', 'How long', seconds),
    counter('c_total', 'How often', () => 3),
    labelled('gauge', 'a', 'By name', () => [{ labels: { name: 'x"\\\n', kind: 'y' }, value: 0.25 }]),
  ]);
  expect(registry.render()).toBe(
    [
      '# HELP a By name',
      '# TYPE a gauge',
      'a{name="x\\"\\\\\\n",kind="y"} 0.25',
      '# HELP b_seconds How long',
      '# TYPE b_seconds histogram',
      'b_seconds_bucket{le="0.5"} 2',
      'b_seconds_bucket{le="1"} 3',
      'b_seconds_bucket{le="2"} 4',
      'b_seconds_bucket{le="+Inf"} 5',
      'b_seconds_sum 102.2',
      'b_seconds_count 5',
      '# HELP c_total How often',
      '# TYPE c_total counter',
      'c_total 3',
      '',
    ].join('\n'),
  );
});

test('values are read when the metrics are', () => {
  let value = 1;
  const registry = new Registry([gauge('g', 'A value', () => value)]);
  value = 2;
  expect(registry.render()).toContain('g 2\n');
});

test('a metric without values is left out, and a name given twice is a mistake', () => {
  expect(new Registry([labelled('counter', 'none_total', 'Nothing', () => [])]).render()).toBe('');
  const twice = gauge('g', 'A value', () => 1);
  expect(() => new Registry([twice, twice])).toThrow('a name of its own');
});

test.each([
  [0, '0'],
  [-1, '-1'],
  [20_480, '20480'],
  [999_999, '999999'],
  [1_000_000, '1e+06'],
  [2_147_483_648, '2.147483648e+09'],
  [0.001, '0.001'],
  [0.0001, '0.0001'],
  [0.00001234, '1.234e-05'],
  [1.5, '1.5'],
  [Infinity, '+Inf'],
  [-Infinity, '-Inf'],
  [NaN, 'NaN'],
])('%d is written %s, as by Go', (value, text) => {
  expect(numberText(value)).toBe(text);
});
