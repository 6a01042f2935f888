import { assert } from '@flotilla/platform';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { readFact, writeFact } from '../shard/entry-fields.ts';
import type { Decision, Fact, FactChange, ShardId } from '../shard/shard-entry.ts';

interface Said {
  fact: Fact;
  /** The seq before the first that it numbers. */
  readonly from: number;
}

/**
 * What the order group has said to one shard and that one has not applied yet, in order. Each fact names the one before
 * it, so that the shard takes every one of them once and none out of turn.
 */
export class FactChain {
  /** Index of the last fact, or of the entry that the shard began with. */
  last: number;
  /** Everything up to here has been applied by the shard, and is forgotten. */
  logged: number;
  /** Seqs that were numbered. */
  numbered = 0;
  /** Nothing more is said to it: since this entry it is part of a neighbour. Null: it lives. */
  ended: { readonly index: number; readonly into: ShardId } | null = null;
  #facts: Said[] = [];

  constructor(born: number) {
    this.last = born;
    this.logged = born;
  }

  /** Facts after the one at `ordered`. */
  after(ordered: number): Fact[] {
    return this.#facts.flatMap(({ fact }) => (fact.index > ordered ? [fact] : []));
  }

  /**
   * The last fact at or before an index: a replica that has applied it has all that the order says of it there. Where
   * that one is forgotten, one that is later does as well.
   */
  lastAt(index: number): number {
    for (let i = this.#facts.length - 1; i >= 0; i -= 1) {
      const { fact } = this.#facts[i] as Said;
      if (fact.index <= index) return fact.index;
    }
    return this.logged;
  }

  /** The revision of a seq, when a cut that is not forgotten has numbered it. */
  revisionOf(seq: number): number | null {
    for (const { fact, from } of this.#facts) {
      if (seq > from && seq <= from + fact.count) return fact.base + seq - from;
    }
    return null;
  }

  count(index: number, count: number, base: number): void {
    const from = this.numbered;
    this.numbered += count;
    this.#say({ ...emptyFact(index, this.last), base, count }, from);
  }

  decide(index: number, decision: Decision): void {
    const said = this.#at(index);
    said.fact = { ...said.fact, decisions: [...said.fact.decisions, decision] };
  }

  change(index: number, change: FactChange): void {
    const said = this.#at(index);
    assert(said.fact.change === null, 'an entry changes one thing');
    said.fact = { ...said.fact, change };
  }

  /** The entry at `index` is applied: the frontier is known. */
  close(index: number, frontier: number): void {
    const said = this.#facts.at(-1);
    if (said?.fact.index === index) said.fact = { ...said.fact, revision: frontier };
  }

  /** The fact of an entry; null: it has none. */
  of(index: number): Fact | null {
    const said = this.#facts.at(-1);
    return said?.fact.index === index ? said.fact : null;
  }

  forgetThrough(index: number): void {
    this.logged = Math.max(this.logged, Math.min(index, this.last));
    this.#facts = this.#facts.filter(({ fact }) => fact.index > this.logged);
  }

  get size(): number {
    return this.#facts.length;
  }

  /** Index of the oldest fact of such a kind that the shard has not applied; null: there is none. */
  oldest(kind: FactChange['kind']): number | null {
    return this.#facts.find(({ fact }) => fact.change?.kind === kind)?.fact.index ?? null;
  }

  encode(): Uint8Array {
    const { last, logged, numbered, ended } = this;
    writer.varint(last);
    writer.varint(logged);
    writer.varint(numbered);
    writer.varint(ended === null ? 0 : 1 + ended.into);
    if (ended !== null) writer.varint(ended.index);
    writer.varint(this.#facts.length);
    for (const { fact, from } of this.#facts) {
      writer.varint(from);
      writeFact(writer, fact);
    }
    return writer.take();
  }

  static decode(record: Uint8Array): FactChain {
    const reader = new ByteReader(record);
    const chain = new FactChain(0);
    chain.last = reader.varint();
    chain.logged = reader.varint();
    chain.numbered = reader.varint();
    const into = reader.varint() - 1;
    if (into >= 0) chain.ended = { index: reader.varint(), into };
    for (let left = reader.varint(); left > 0; left -= 1) {
      const from = reader.varint();
      chain.#facts.push({ fact: readFact(reader), from });
    }
    return chain;
  }

  #at(index: number): Said {
    const said = this.#facts.at(-1);
    if (said?.fact.index === index) return said;
    return this.#say(emptyFact(index, this.last), this.numbered);
  }

  #say(fact: Fact, from: number): Said {
    assert(fact.index > this.last, 'an entry says one thing to a shard');
    const said = { fact, from };
    this.#facts.push(said);
    this.last = fact.index;
    return said;
  }
}

const writer = new ByteWriter(8 * 1024);

export function emptyFact(index: number, previous: number): Fact {
  return { index, previous, base: 0, count: 0, decisions: [], revision: 0, change: null };
}
