import { assert } from '@flotilla/platform';
import type { Histogram } from './histogram.ts';

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** Names and values of labels, in the order in which they are written. */
export type Labels = Readonly<Record<string, string>>;

/** One metric with all its label values. Its value is read when somebody asks: counting costs nothing here. */
export interface Metric {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly read: () => Iterable<Sample>;
}

export type Sample =
  | { readonly labels: Labels; readonly value: number }
  | { readonly labels: Labels; readonly histogram: Histogram };

/**
 * The metrics of a member, written in Prometheus' text format (version 0.0.4).
 *
 * @example
 * const registry = new Registry([gauge('etcd_server_has_leader', 'Whether …', () => Number(backend.hasLeader))]);
 * registry.render();
 */
export class Registry {
  readonly metrics: readonly Metric[];

  constructor(metrics: readonly Metric[]) {
    this.metrics = [...metrics].sort((a, b) => (a.name < b.name ? -1 : 1));
    const names = new Set(metrics.map(({ name }) => name));
    assert(names.size === metrics.length, 'every metric has a name of its own');
  }

  render(): string {
    let text = '';
    for (const metric of this.metrics) text += renderMetric(metric);
    return text;
  }
}

export function counter(name: string, help: string, read: () => number): Metric {
  return { name, type: 'counter', help, read: () => [{ labels: none, value: read() }] };
}

export function gauge(name: string, help: string, read: () => number): Metric {
  return { name, type: 'gauge', help, read: () => [{ labels: none, value: read() }] };
}

export function histogram(name: string, help: string, values: Histogram): Metric {
  return { name, type: 'histogram', help, read: () => [{ labels: none, histogram: values }] };
}

/** A metric of several values, told apart by labels. */
export function labelled(type: MetricType, name: string, help: string, read: () => Iterable<Sample>): Metric {
  return { name, type, help, read };
}

const none: Labels = {};

/** A metric without values is left out, as Prometheus' own libraries do. */
function renderMetric({ name, type, help, read }: Metric): string {
  let values = '';
  for (const sample of read()) {
    values += 'value' in sample ? line(name, sample.labels, sample.value) : renderHistogram(name, sample);
  }
  return values === '' ? '' : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${values}`;
}

function renderHistogram(
  name: string,
  { labels, histogram: values }: Extract<Sample, { readonly histogram: Histogram }>,
): string {
  let text = '';
  for (const { bound, count } of values.cumulative()) {
    text += line(`${name}_bucket`, { ...labels, le: numberText(bound) }, count);
  }
  return text + line(`${name}_sum`, labels, values.sum) + line(`${name}_count`, labels, values.count);
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${numberText(value)}\n`;
}

function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (sign) => (sign === '\n' ? '\\n' : `\\${sign}`));
}

/** As Go writes it: whoever looks for a line of etcd's finds the same line. */
export function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const [digits, exponent] = value.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  // Go's rule for the shortest form: six digits before the point at most, four zeros behind it.
  if (power >= -4 && power < MAX_PLAIN_POWER) return String(value);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

const MAX_PLAIN_POWER = 6;
