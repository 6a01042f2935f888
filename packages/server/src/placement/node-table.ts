import { assert } from '@flotilla/platform';
import { nodeLives, type NodeView } from './cluster-view.ts';
import { grown } from './indexed-set.ts';
import { dimensions } from './settings.ts';

/** Nodes in columns, with what placement adds up for each: as it will be when everything in flight has arrived. */
export class NodeTable {
  count = 0;
  readonly views: NodeView[] = [];
  readonly zones: string[] = [];
  readonly #places = new Map<number, number>();
  /** Places in the order of the nodes' ids: nothing depends on who came first. */
  order: number[] = [];

  zone = new Int32Array(16);
  /** Takes part in majorities, holds its data: `heard` now; `lost`: silent for too long; `steady`: may get something. */
  heard = new Uint8Array(16);
  lost = new Uint8Array(16);
  steady = new Uint8Array(16);
  life = new Uint8Array(16);
  capacityBytes = new Float64Array(16);
  capacityLoad = new Float64Array(16);
  usedBytes = new Float64Array(16);
  /** Bit p: it has the labels of policy p. */
  policies = new Int32Array(16);
  /** By dimension. */
  readonly amounts: Float64Array[] = dimensions.map(() => new Float64Array(16));
  movesIn = new Int32Array(16);
  movesOut = new Int32Array(16);
  transfers = new Int32Array(16);
  /** Of learners that catch up. */
  incomingBytes = new Float64Array(16);
  /** `shard * stride + slot` of every replica on it. */
  readonly lists: Int32Array[] = [];
  listed = new Int32Array(16);

  placeOf(id: number): number {
    return this.#places.get(id) ?? -1;
  }

  /** Answers its place. */
  add(view: NodeView): number {
    const place = this.count;
    assert(!this.#places.has(view.id), () => `node ${view.id} is there once`);
    if (place === this.zone.length) this.#grow();
    this.#places.set(view.id, place);
    this.views.push(view);
    this.lists.push(new Int32Array(16));
    this.count += 1;
    this.order.push(place);
    this.order.sort((a, b) => this.id(a) - this.id(b));
    return place;
  }

  /** Adds many at once: their order is made once. */
  addAll(views: readonly NodeView[]): void {
    for (const view of [...views].sort((a, b) => a.id - b.id)) this.add(view);
  }

  id(place: number): number {
    return (this.views[place] as NodeView).id;
  }

  zoneOf(name: string): number {
    const known = this.zones.indexOf(name);
    return known >= 0 ? known : this.zones.push(name) - 1;
  }

  isServing(place: number): boolean {
    return this.life[place] === serving;
  }

  isDraining(place: number): boolean {
    return this.life[place] === draining;
  }

  list(place: number, entry: number): number {
    const at = this.listed[place] as number;
    let list = this.lists[place] as Int32Array;
    if (at === list.length) {
      list = grown(list, at * 2);
      this.lists[place] = list;
    }
    list[at] = entry;
    this.listed[place] = at + 1;
    return at;
  }

  /** Answers the entry that took the freed place, or -1. */
  unlist(place: number, at: number): number {
    const list = this.lists[place] as Int32Array;
    const last = (this.listed[place] as number) - 1;
    this.listed[place] = last;
    if (at === last) return -1;
    const moved = list[last] as number;
    list[at] = moved;
    return moved;
  }

  #grow(): void {
    const length = this.zone.length * 2;
    this.zone = grown(this.zone, length);
    this.heard = grown(this.heard, length);
    this.lost = grown(this.lost, length);
    this.steady = grown(this.steady, length);
    this.life = grown(this.life, length);
    this.capacityBytes = grown(this.capacityBytes, length);
    this.capacityLoad = grown(this.capacityLoad, length);
    this.usedBytes = grown(this.usedBytes, length);
    this.policies = grown(this.policies, length);
    for (const dimension of dimensions.keys()) {
      this.amounts[dimension] = grown(this.amounts[dimension] as Float64Array, length);
    }
    this.movesIn = grown(this.movesIn, length);
    this.movesOut = grown(this.movesOut, length);
    this.transfers = grown(this.transfers, length);
    this.incomingBytes = grown(this.incomingBytes, length);
    this.listed = grown(this.listed, length);
  }
}

export const joining = nodeLives.indexOf('joining');
export const serving = nodeLives.indexOf('serving');
export const draining = nodeLives.indexOf('draining');
