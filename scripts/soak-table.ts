/** What `flotilla simulate --outcome` writes, as far as it is added up. */
export interface SearchOutcome {
  readonly scenario: string;
  readonly seeds: number;
  readonly events: number;
  readonly simulatedMs: number;
  /** Faults and situations, and the transitions of life cycles: how often each was met. */
  readonly coverage: Counts;
  readonly edges: Counts;
}

type Counts = Readonly<Record<string, number>>;

interface Row {
  seeds: number;
  events: number;
  simulatedMs: number;
  readonly coverage: Map<string, number>;
}

/**
 * Adds up what `flotilla simulate --outcome` has written of many searches, by scenario.
 *
 * @example
 * const table = new SoakTable();
 * table.add({ scenario: 'core', seeds: 500, events: 3e6, simulatedMs: 9e6, coverage: { crash: 12 }, edges: {} });
 * console.log(table.toString());
 */
export class SoakTable {
  readonly #rows = new Map<string, Row>();
  readonly #edges = new Map<string, number>();

  add({ scenario, seeds, events, simulatedMs, coverage, edges }: SearchOutcome): void {
    const row = this.#rows.get(scenario) ?? {
      seeds: 0,
      events: 0,
      simulatedMs: 0,
      coverage: new Map<string, number>(),
    };
    this.#rows.set(scenario, row);
    row.seeds += seeds;
    row.events += events;
    row.simulatedMs += simulatedMs;
    addCounts(row.coverage, coverage);
    addCounts(this.#edges, edges);
  }

  /** What was run of each scenario, which faults and situations it never met, and which transitions nobody took. */
  toString(): string {
    const lines = [
      ['scenario', 'seeds', 'events', 'simulated', 'faults and marks met'],
      ...[...this.#rows].map(([scenario, { seeds, events, simulatedMs, coverage }]) => [
        scenario,
        grouped(seeds),
        grouped(events),
        `${(simulatedMs / 3_600_000).toFixed(1)} h`,
        met(coverage),
      ]),
    ];
    const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((cells) => cells[column]!.length)));
    const table = lines.map((cells) =>
      cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[i] ?? 0))).join('  '),
    );
    return [...table, `transitions of life cycles taken: ${met(this.#edges)}`].join('\n');
  }
}

/** `12 of 14, never: full disk, wipe`. */
function met(counts: ReadonlyMap<string, number>): string {
  const never = [...counts].filter(([, times]) => times === 0).map(([name]) => name);
  const words = `${counts.size - never.length} of ${counts.size}`;
  return never.length === 0 ? words : `${words}, never: ${never.join(', ')}`;
}

function addCounts(sums: Map<string, number>, counts: Counts): void {
  for (const [name, times] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + times);
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
