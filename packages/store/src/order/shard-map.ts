import { assert } from '@flotilla/platform';
import { compareBytes } from '../bytes.ts';
import { holdsKey, type KeySpan, overlaps, touches } from '../shard/key-span.ts';
import type { RangeChange, ShardId } from '../shard/shard-entry.ts';

/** Who serves which keys. */
export interface ShardRow {
  readonly shard: ShardId;
  readonly span: KeySpan;
  /** Version of its range, and of its members. */
  readonly range: number;
  readonly membership: number;
  readonly nodes: readonly number[];
}

/** Every shard, in the order of its keys. Never changed in place: a map that was read stays as it was. */
export class ShardMap {
  readonly rows: readonly ShardRow[];
  /** Counts every change. */
  readonly configuration: number;
  readonly #byShard: ReadonlyMap<ShardId, ShardRow>;

  /** `same`: a map of the very rows. */
  constructor(rows: readonly ShardRow[], configuration = 1, same: ShardMap | null = null) {
    this.configuration = configuration;
    if (same !== null) {
      this.rows = same.rows;
      this.#byShard = same.#byShard;
      return;
    }
    this.rows = [...rows].sort((a, b) => compareBytes(a.span.from, b.span.from));
    this.#byShard = new Map(rows.map((row) => [row.shard, row]));
    this.rows.forEach((row, place) => {
      const next = this.rows[place + 1];
      assert(
        next === undefined ? row.span.to === null : touches(row.span, next.span),
        'shards cover all keys, each of them once',
      );
    });
  }

  row(shard: ShardId): ShardRow | null {
    return this.#byShard.get(shard) ?? null;
  }

  /** The shards that have keys of these spans, in the order of their keys. */
  of(spans: readonly KeySpan[]): ShardRow[] {
    const found = new Set<number>();
    for (const span of spans) {
      let place = this.#placeOf(span.from);
      for (
        let row = this.rows[place];
        row !== undefined && overlaps(row.span, span);
        row = this.rows[place]
      ) {
        found.add(place);
        place += 1;
      }
    }
    return [...found].sort((a, b) => a - b).map((place) => this.rows[place] as ShardRow);
  }

  /** The shard of a request that has no keys, too. */
  ofKey(key: Uint8Array): ShardRow {
    const row = this.rows[this.#placeOf(key)];
    assert(row !== undefined && holdsKey(row.span, key), 'every key has a shard');
    return row;
  }

  withMembers(shard: ShardId, membership: number, nodes: readonly number[]): ShardMap {
    return this.#with(this.rows.map((row) => (row.shard === shard ? { ...row, membership, nodes } : row)));
  }

  /** Refused, with nothing changed but the version of the shard's range: late copies of the proposal fail then. */
  withVersion(shard: ShardId): ShardMap {
    return this.#with(this.rows.map((row) => (row.shard === shard ? { ...row, range: row.range + 1 } : row)));
  }

  /** `nodes`: of the child. */
  split(shard: ShardId, at: Uint8Array, child: ShardId, nodes: readonly number[]): ShardMap {
    return this.#with(
      this.rows.flatMap((row) => {
        if (row.shard !== shard) return [row];
        const { from, to } = row.span;
        return [
          { ...row, span: { from, to: at }, range: row.range + 1 },
          { ...row, shard: child, span: { from: at, to }, range: 1, nodes },
        ];
      }),
    );
  }

  merge(shard: ShardId, into: ShardId): ShardMap {
    const drained = this.row(shard);
    assert(drained !== null, 'a shard that is merged is there');
    return this.#with(
      this.rows.flatMap((row) => {
        if (row.shard === shard) return [];
        if (row.shard !== into) return [row];
        const isLeft = touches(row.span, drained.span);
        const from = isLeft ? row.span.from : drained.span.from;
        const to = isLeft ? drained.span.to : row.span.to;
        return [{ ...row, span: { from, to }, range: row.range + 1 }];
      }),
    );
  }

  /** Whether a change makes sense here. */
  allows(change: RangeChange): boolean {
    const row = this.row(change.shard);
    if (row === null) return false;
    if (change.kind === 'split') {
      return holdsKey(row.span, change.at) && compareBytes(change.at, row.span.from) > 0;
    }
    const into = this.row(change.into);
    if (into === null || into.shard === row.shard) return false;
    return touches(row.span, into.span) || touches(into.span, row.span);
  }

  /** Something that it is numbered for has changed beside it. */
  renumbered(): ShardMap {
    return new ShardMap(this.rows, this.configuration + 1, this);
  }

  /** The last row that begins at or before a key. */
  #placeOf(key: Uint8Array): number {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes((this.rows[middle] as ShardRow).span.from, key) <= 0) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  #with(rows: readonly ShardRow[]): ShardMap {
    return new ShardMap(rows, this.configuration + 1);
  }
}
