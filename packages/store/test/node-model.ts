import { bytesToString, compareBytes } from '../src/bytes.ts';
import type { KeySpan } from '../src/shard/key-span.ts';
import { holdsKey } from '../src/shard/key-span.ts';

/** One change of one key. */
export interface ModelChange {
  readonly revision: number;
  readonly key: Uint8Array;
  /** Null: it was deleted. */
  readonly value: string | null;
  readonly lease: bigint;
}

export interface ModelKey {
  readonly key: string;
  readonly value: string;
  readonly modRevision: number;
  readonly lease: bigint;
}

/** All keys of all shards, as the list of what was done to them. Never changed: each step is another one. */
export class NodeModel {
  readonly revision: number;
  readonly compactRevision: number;
  readonly changes: readonly ModelChange[];
  readonly spans: ReadonlyMap<number, KeySpan>;

  constructor(
    spans: ReadonlyMap<number, KeySpan>,
    revision = 1,
    compactRevision = -1,
    changes: readonly ModelChange[] = [],
  ) {
    this.spans = spans;
    this.revision = revision;
    this.compactRevision = compactRevision;
    this.changes = changes;
  }

  written(changes: readonly ModelChange[]): NodeModel {
    const all = [...this.changes, ...changes];
    return new NodeModel(this.spans, this.revision + 1, this.compactRevision, all);
  }

  compacted(revision: number): NodeModel {
    return new NodeModel(this.spans, this.revision, revision, this.changes);
  }

  withSpans(spans: ReadonlyMap<number, KeySpan>): NodeModel {
    return new NodeModel(spans, this.revision, this.compactRevision, this.changes);
  }

  /** Keys of the span at a revision, in order. */
  keysAt(span: KeySpan, revision: number): ModelKey[] {
    const keys = new Map<string, { readonly key: Uint8Array; readonly kv: ModelKey }>();
    for (const change of this.changes) {
      if (change.revision > revision || !holdsKey(span, change.key)) continue;
      const name = bytesToString(change.key);
      const { value, revision: modRevision, lease } = change;
      if (value === null) keys.delete(name);
      else keys.set(name, { key: change.key, kv: { key: name, value, modRevision, lease } });
    }
    return [...keys.values()].sort((a, b) => compareBytes(a.key, b.key)).map(({ kv }) => kv);
  }

  /** What may be asked for of the span's history: by revision, keys sorted. */
  events(span: KeySpan): string[] {
    const from = Math.max(this.compactRevision, 0);
    return this.changes
      .filter(({ revision, key }) => revision >= from && holdsKey(span, key))
      .map(eventText)
      .sort();
  }
}

export function eventText({ revision, key, value }: Pick<ModelChange, 'revision' | 'key' | 'value'>): string {
  const place = String(revision).padStart(6, '0');
  return `${place} ${bytesToString(key)} ${value === null ? 'deleted' : 'put'}`;
}
