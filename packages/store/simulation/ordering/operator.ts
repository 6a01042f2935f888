import { encodePlain } from '../../src/encoding/plain.ts';
import type { RequestOrigin } from '../../src/shard/request-memory.ts';
import type { RangeChange } from '../../src/shard/shard-entry.ts';
import type { Cluster } from './cluster.ts';
import type { AdministerEntry } from './group.ts';
import type { OrderingHistory } from './history.ts';
import { keys } from './keys.ts';
import type { OrderingNode } from './node.ts';
import type { OrderingWorld } from './world.ts';

const shardsMax = 5;
const leasesMax = 3;

/** Splits, merges, moves, crashes, elections; leases, compactions and users. */
export class Operator {
  readonly #cluster: Cluster;
  readonly #world: OrderingWorld;
  readonly #history: OrderingHistory;
  readonly #untilMs: number;
  #session: number | null = null;
  #nextRequest = 1;
  readonly #open = new Set<number>();
  #nextLease = 1n;
  /** That clients may use. */
  leases: bigint[] = [];

  constructor(cluster: Cluster, history: OrderingHistory, untilMs: number) {
    this.#cluster = cluster;
    this.#world = cluster.world;
    this.#history = history;
    this.#untilMs = untilMs;
    const { world } = cluster;
    const work = (periodMs: number, label: string, act: () => void): void =>
      world.every(periodMs, label, () => {
        if (!world.healed && world.now < untilMs) act();
      });
    work(35, 'election', () => this.#elect());
    work(90, 'crash', () => this.#crash());
    work(80, 'reshape', () => this.#reshape());
    work(80, 'move', () => this.#move());
    work(40, 'administer', () => this.#administer());
    for (const node of cluster.nodes) {
      work(200, 'image', () => {
        if (node.up) node.takeImage();
      });
    }
    world.at(1, () => this.#openSession());
  }

  /** No more faults; what was begun comes to its end. */
  heal(): void {
    const { world, nodes, groups } = this.#cluster;
    world.healed = true;
    world.fault('heal');
    for (const node of nodes) this.#cluster.revive(node);
    for (const group of groups.values()) {
      if (this.#cluster.leadOf(group.id) === null) this.#cluster.electAnybody(group);
    }
    world.every(25, 'repair', () => {
      for (const group of groups.values()) {
        const lead = group.leader?.leads.get(group.id);
        const isLed = lead !== undefined && lead.isCurrent && lead.term === group.term;
        if (!isLed && group.replicas.size > 0) this.#cluster.electAnybody(group);
      }
    });
  }

  #openSession(): void {
    const ask = (): void => {
      if (this.#session !== null || this.#world.ended) return;
      const node = this.#node();
      this.#world.send(node, () =>
        this.#cluster.openSession(node, 'operator', (session) => {
          this.#session = session;
        }),
      );
      this.#world.at(30, ask);
    };
    ask();
  }

  #elect(): void {
    const led = [...this.#cluster.groups.values()].filter((group) => group.leader !== null);
    if (led.length > 0) this.#cluster.electAnybody(this.#world.pick(led, 'elect in'));
  }

  #crash(): void {
    const { nodes } = this.#cluster;
    if (nodes.some((node) => !node.up)) return;
    const node = this.#node();
    this.#cluster.crash(node);
    this.#world.at(this.#world.between(3, 60, 'down'), () => this.#cluster.revive(node));
  }

  #reshape(): void {
    const { map } = this.#node().order;
    const row = this.#world.pick(map.rows, 'shard');
    const change = this.#change(row.shard, map.rows.length);
    if (change === null) return;
    this.#world.fault(`${change.kind} shard ${row.shard}`);
    this.#cluster.toLeader(row.shard, (lead) => {
      this.#cluster.proposeShard(lead, { kind: 'barrier', change, range: row.range });
    });
  }

  #change(shard: number, count: number): RangeChange | null {
    if (count < shardsMax && this.#world.chance(55, 'split')) {
      return { kind: 'split', shard, at: this.#world.pick(keys, 'split at') };
    }
    const { map } = this.#node().order;
    const into = this.#world.pick(map.rows, 'merge into').shard;
    if (into === shard && this.#world.chance(80, 'sensible')) return null;
    return { kind: 'merge', shard, into };
  }

  /** One member for another, as joint consensus does it; the new one begins with a snapshot. */
  #move(): void {
    const groups = [...this.#cluster.groups.values()].filter(
      (group) => !group.isOrder && group.leader !== null,
    );
    if (groups.length === 0) return;
    const group = this.#world.pick(groups, 'move of');
    const goes = this.#world.pick(group.members, 'who goes');
    const comes = this.#cluster.nodes.find((node) => !group.members.includes(node));
    if (comes === undefined) return;
    const members = [...group.members.filter((node) => node !== goes), comes];
    this.#cluster.toLeader(group.id, (lead) => {
      // A leader hands over before it goes, and a shard that drains keeps its members.
      if (lead.node === goes || lead.shard.life !== 'serving') return;
      const membership = lead.shard.epoch.membership + 1;
      if (this.#cluster.propose(lead, { kind: 'members', membership }, members)) {
        this.#world.coverage.count('move of a replica');
      }
    });
  }

  #administer(): void {
    const kind = this.#world.below(10, 'administer');
    if (kind < 4) this.#grant();
    else if (kind < 6) this.#revoke();
    else if (kind < 7) this.#renew();
    else if (kind < 8) this.#compact();
    else this.#auth();
  }

  #grant(): void {
    const { witness } = this.#cluster;
    const living = this.leases.filter((lease) => witness.lifeOf(lease) !== null);
    if (living.length >= leasesMax) return;
    // Sometimes an id that was there before.
    const isOld = this.leases.length > 0 && this.#world.chance(30, 'same id again');
    const lease = isOld ? this.#world.pick(this.leases, 'which id') : this.#nextLease;
    if (!isOld) this.#nextLease += 1n;
    const ttl = 60 + this.#world.below(300, 'time to live');
    this.leases = [...this.leases.filter((one) => one !== lease), lease].slice(-leasesMax);
    this.#ask((origin) => ({ kind: 'grant', origin, user: null, lease, ttl }));
  }

  #revoke(): void {
    if (this.leases.length === 0) return;
    const lease = this.#world.pick(this.leases, 'revoke');
    this.#ask((origin) => ({ kind: 'revoke', origin, user: null, lease }));
  }

  #renew(): void {
    if (this.leases.length === 0) return;
    const lease = this.#world.pick(this.leases, 'renew');
    this.#cluster.toLeader(0, (lead) => this.#cluster.propose(lead, { kind: 'renew', leases: [lease] }));
  }

  #compact(): void {
    const { frontier } = this.#node().order;
    const revision = Math.max(1, frontier - this.#world.below(12, 'compact at'));
    const operation = {
      kind: 'compact',
      startMs: this.#world.now,
      endMs: Infinity,
      revision,
      user: '',
      denied: false,
    } as const;
    this.#record(operation, (origin) => ({ kind: 'compact', origin, user: null, revision }));
  }

  #auth(): void {
    const user = `u${this.#world.below(2, 'user')}`;
    const denied = this.#world.chance(50, 'denied');
    const operation = {
      kind: 'auth',
      startMs: this.#world.now,
      endMs: Infinity,
      revision: 0,
      user,
      denied,
    } as const;
    const change = encodePlain({ name: user, denied });
    this.#record(operation, (origin) => ({ kind: 'users', origin, change }));
  }

  #record(made: OrderingHistory['admin'][number], make: (origin: RequestOrigin) => AdministerEntry): void {
    const operation = { ...made };
    if (this.#ask(make, () => (operation.endMs = this.#world.now))) this.#history.admin.push(operation);
  }

  /** Again and again until it is answered. */
  #ask(make: (origin: RequestOrigin) => AdministerEntry, answered: () => void = () => undefined): boolean {
    const session = this.#session;
    if (session === null || this.#world.now > this.#untilMs) return false;
    const request = this.#nextRequest;
    this.#nextRequest += 1;
    this.#open.add(request);
    let done = false;
    const ask = (): void => {
      if (done || this.#world.ended) return;
      const node = this.#node();
      const origin = { session, request, floor: Math.min(...this.#open) };
      this.#world.send(node, () =>
        this.#cluster.administer(node, make(origin), (reply) => {
          if (done || reply.kind !== 'answer') return;
          done = true;
          this.#open.delete(request);
          answered();
        }),
      );
      this.#world.at(this.#world.between(20, 50, 'again'), ask);
    };
    ask();
    return true;
  }

  get pending(): number {
    return this.#open.size;
  }

  #node(): OrderingNode {
    return this.#world.pick(this.#cluster.nodes, 'node');
  }
}
