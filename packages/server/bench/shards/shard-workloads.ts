import { randomBytes } from 'node:crypto';
import { KV, PutRequest, RangeRequest, TxnRequest } from '@flotilla/wire';
import { keyIn } from './shard-cluster.ts';

/** Requests of one kind, each with keys of its own. */
export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly path: string;
  /** Encoded once, with the keys of `template`, which each request has in the same places. */
  readonly template: Uint8Array;
  readonly keys: readonly Uint8Array[];
  readonly next: (draw: Draw) => readonly Uint8Array[];
}

/** Whole numbers below a bound. */
export type Draw = (below: number) => number;

export const keysOfPlace = 4_000;

const value = randomBytes(256);

export function put(name: string, title: string, places: readonly number[]): Workload {
  const key = keyIn(0, 0);
  return {
    name,
    title,
    path: KV.methods.Put.path,
    template: PutRequest.encodeFrame(PutRequest.create({ key, value })),
    keys: [key],
    next: (draw) => [keyIn(oneOf(places, draw), draw(keysOfPlace))],
  };
}

/** Two puts in one transaction. */
export function twoPuts(name: string, title: string, places: readonly number[], apart: boolean): Workload {
  const keys = [keyIn(0, 0), keyIn(1, 1)];
  const success = keys.map((key) => ({
    request: { case: 'requestPut' as const, value: PutRequest.create({ key, value }) },
  }));
  return {
    name,
    title,
    path: KV.methods.Txn.path,
    template: TxnRequest.encodeFrame(TxnRequest.create({ success })),
    keys,
    next: (draw) => {
      const first = draw(places.length);
      const second = apart ? (first + 1 + draw(places.length - 1)) % places.length : first;
      const index = draw(keysOfPlace);
      const other = (index + 1 + draw(keysOfPlace - 1)) % keysOfPlace;
      return [keyIn(places[first] as number, index), keyIn(places[second] as number, other)];
    },
  };
}

export function rangeOfOne(name: string, title: string, places: readonly number[]): Workload {
  const key = keyIn(0, 0);
  return {
    name,
    title,
    path: KV.methods.Range.path,
    template: RangeRequest.encodeFrame(RangeRequest.create({ key })),
    keys: [key],
    next: (draw) => [keyIn(oneOf(places, draw), draw(keysOfPlace))],
  };
}

/** One transaction that reads a key of each place. */
export function rangeOfEach(name: string, title: string, places: readonly number[]): Workload {
  const keys = places.map((place) => keyIn(place, place));
  const success = keys.map((key) => ({
    request: { case: 'requestRange' as const, value: RangeRequest.create({ key }) },
  }));
  return {
    name,
    title,
    path: KV.methods.Txn.path,
    template: TxnRequest.encodeFrame(TxnRequest.create({ success })),
    keys,
    next: (draw) => places.map((place) => keyIn(place, draw(keysOfPlace))),
  };
}

/** How many keys there are. */
export function countOfAll(name: string, title: string): Workload {
  const whole = { key: Buffer.from('s'), rangeEnd: Buffer.from('t'), countOnly: true };
  return {
    name,
    title,
    path: KV.methods.Range.path,
    template: RangeRequest.encodeFrame(RangeRequest.create(whole)),
    keys: [],
    next: () => [],
  };
}

/** Puts one key after the other, so many in a transaction. */
export function fill(places: readonly number[], batch: number): Workload {
  const keys = Array.from({ length: batch }, (_, index) => keyIn(0, index));
  const success = keys.map((key) => ({
    request: { case: 'requestPut' as const, value: PutRequest.create({ key, value }) },
  }));
  let next = 0;
  return {
    name: 'fill',
    title: 'fill',
    path: KV.methods.Txn.path,
    template: TxnRequest.encodeFrame(TxnRequest.create({ success })),
    keys,
    next: () => {
      const place = places[next % places.length] as number;
      const first = (Math.floor(next / places.length) * batch) % keysOfPlace;
      next += 1;
      return keys.map((_, index) => keyIn(place, first + index));
    },
  };
}

/** Each is a copy of the template with its own keys, which a sender may keep until it is sent. */
export function framesOf({ template, keys, next }: Workload, draw: Draw): () => Uint8Array {
  const bytes = Buffer.from(template.buffer, template.byteOffset, template.length);
  const positions = keys.map((key) => bytes.indexOf(key));
  if (positions.includes(-1)) throw new Error('a request has the keys that it was made with');
  return () => {
    const frame = template.slice();
    next(draw).forEach((key, place) => frame.set(key, positions[place]));
    return frame;
  };
}

/** The same in every measurement, so that two clusters get the same work. */
export function drawing(seed: number): Draw {
  let state = seed;
  return (below) => {
    // xorshift32 (Marsaglia 2003)
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function oneOf(places: readonly number[], draw: Draw): number {
  return places[draw(places.length)] as number;
}
