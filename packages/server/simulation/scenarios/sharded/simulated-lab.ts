import {
  checkLinearizability,
  describeVerdict,
  History,
  keyValueModel,
  type KeyValueOperation,
  type KeyValueResult,
} from '@flotilla/check';
import type { Platform } from '@flotilla/platform';
import { peerFrames } from '@flotilla/raft/simulation';
import { resultOf, type SimNode, type Tape, World } from '@flotilla/sim';
import type { OrderedStorage } from '@flotilla/store';
import { openFramedChannel, type RpcChannel, RpcError } from '@flotilla/wire';
import type { Member } from '../../../src/member/member.ts';
import { clientPort, type MemberNode, peerPort } from '../../cluster/member-node.ts';
import type { WrittenHistory } from '../../cluster/written-history.ts';
import { type ClientWire, reliableWire, unreliableWire } from '../client-wire.ts';
import { type ClientHome, KvClient } from '../kv-client.ts';
import type { KvLabResult, Measure } from '../lab-result.ts';
import { LabStopped } from '../lab-stopped.ts';
import {
  cutOf,
  orderers,
  OrderersHistory,
  placesOf,
  settingsOf,
  unreliableWorld,
  WatchedMember,
} from './lab-members.ts';
import { LateCopies } from './late-copies.ts';
import { LabOrder, type LabPlaces } from './lab-order.ts';
import { isRefused } from './refused-write.ts';
import { ShardOperator } from './shard-operator.ts';
import type { LabChange, LabConfiguration, LabNode, ShardedLab, ShardedLabOptions } from './sharded-lab.ts';
import { storedBytesOf } from './stored-bytes.ts';

const labLimits = {
  bootMs: 30_000,
  queryMs: 5_000,
  replayMs: 60_000,
  clientsMs: 10_000,
  convergenceMs: 20_000,
} as const;

/** Between two looks at what is waited for. */
const lookMs = 1;

interface SimulatedNode extends LabNode {
  readonly node: SimNode;
  readonly lives: MemberNode;
  readonly place: number;
}

/**
 * {@link ShardedLab} over whole members in a simulated world. Groups of the courses are groups of nodes as placement knows
 * them: nodes that join with their group's label. Everything is asked for over the public API, by an operator who has a
 * machine of its own.
 */
export class SimulatedShardedLab implements ShardedLab, ClientHome {
  readonly world: World;
  readonly tape: Tape;
  readonly history: History<KeyValueOperation, KeyValueResult>;
  readonly sessionPrefix = '';
  readonly memberNames: readonly string[];
  readonly shards: number;
  wire: ClientWire;
  readonly #options: ShardedLabOptions;
  readonly #nodes: readonly SimulatedNode[];
  readonly #clients: KvClient[] = [];
  readonly #measures = new Map<string, Measure>();
  readonly #leaders = new Map<number, string>();
  readonly #storages = new Map<string, OrderedStorage>();
  readonly #written: WrittenHistory;
  readonly #cut = new Set<SimulatedNode>();
  readonly #groupById = new Map<number, number>();
  readonly #copies = new LateCopies();
  readonly #places: LabPlaces;
  #latestState: LabOrder | null = null;
  #stateAtEvent = -1;
  #operator: ShardOperator | null = null;
  readonly #operatorNode: SimNode;

  constructor(tape: Tape, options: ShardedLabOptions) {
    this.tape = tape;
    this.shards = options.shards;
    this.#options = options;
    this.wire = options.unreliable === true ? unreliableWire : reliableWire;
    this.world = new World({ tape, settings: options.unreliable === true ? unreliableWorld : {} });
    this.world.network.declareFrames(peerPort, peerFrames);
    // Events, not time: at one instant many things happen one after the other.
    this.history = new History(() => this.world.events);
    this.#places = {
      cuts: Array.from({ length: options.shards }, (_, shard) => cutOf(shard)),
      groupSize: this.#groupSize,
      groupOf: (node) => this.#groupById.get(node) ?? 0,
    };
    const places = placesOf(options);
    this.memberNames = places.map(({ name }) => name);
    this.#written = new OrderersHistory(this.world, this.memberNames.slice(0, 2));
    this.#nodes = places.map(({ name, group }, place) => {
      const lives = this.#livesOf(name);
      return {
        name,
        group,
        place,
        lives,
        node: this.world.addNode(name, (platform) => lives.main(platform)),
      };
    });
    this.#operatorNode = this.world.addNode('operator', (platform) => {
      this.#operator = this.#operatorOn(platform);
    });
  }

  // Time.

  get now(): number {
    return this.world.now;
  }

  sleep(durationMs: number): void {
    this.world.run(durationMs);
    this.#stopIfFailed();
  }

  until(durationMs: number, condition: () => boolean): boolean {
    if (condition()) return true;
    let nextMs = this.now + lookMs;
    // Once a millisecond: to ask after each event would cost as much as all that happens.
    this.world.run(durationMs, () => {
      if (this.now < nextMs) return false;
      nextMs = this.now + lookMs;
      return condition();
    });
    this.#stopIfFailed();
    return condition();
  }

  within(what: string, limitMs: number, condition: () => boolean): void {
    const beginMs = this.now;
    if (!this.until(limitMs, condition)) this.#fail(`${what}: not within ${limitMs} ms`);
    this.measure(what, this.now - beginMs, limitMs, 'ms');
  }

  draw(bound: number, label: string): number {
    return this.tape.choose(bound, label);
  }

  measure(what: string, value: number, limit: number, unit: string): void {
    const worst = this.#measures.get(what);
    if (worst === undefined || value > worst.value) this.#measures.set(what, { what, value, limit, unit });
    if (value > limit) this.#fail(`${what}: ${value} ${unit}, at most ${limit} allowed`);
  }

  expect(fine: boolean, message: string): void {
    if (!fine) this.#fail(message);
  }

  keyOf(shard: number, name = 'key'): string {
    return `${cutOf(shard)}/${name}`;
  }

  // Its beginning and its end.

  boot(joined: readonly number[]): void {
    for (const { node } of this.#nodes) node.start();
    this.#operatorNode.start();
    this.within('members know each other', labLimits.bootMs, () => {
      return (
        this.#members.length === this.#nodes.length &&
        this.#members.every(({ membership }) => membership.level >= 3)
      );
    });
    for (const { lives, group } of this.#nodes) {
      this.#groupById.set((lives.member as Member).shards.nodeId, group);
    }
    this.#act(labLimits.bootMs, async (operator) => {
      await operator.begin(this.#groupSize);
      for (const node of this.#nodes) {
        if (joined.includes(node.group)) await operator.join(this.#operated(node));
      }
      for (let shard = this.shards - 1; shard >= 0; shard -= 1) await operator.split(cutOf(shard));
    });
    this.within('every shard serves', labLimits.bootMs, () => {
      const state = this.#state();
      return state !== null && state.isEven && state.isQuiet;
    });
  }

  finish(): void {
    this.cutOff([]);
    this.start(this.#nodes);
    this.within('equal replicas', labLimits.convergenceMs, () => this.#state()?.isConverged === true);
    const difference = this.#state()?.difference ?? null;
    this.expect(difference === null, difference ?? '');
    const { verdict } = checkLinearizability(keyValueModel, this.history.calls);
    if (verdict.outcome !== 'ok') this.world.violate('linearizability', describeVerdict(verdict));
    this.expect(this.#written.complete() !== null, 'the history of revisions is not whole');
    this.#written.judgeWatches();
    this.#stopIfFailed();
  }

  result(): KvLabResult {
    return { ...resultOf(this.world), measures: [...this.#measures.values()] };
  }

  // The courses' operations, and others.

  join(groups: readonly number[], through?: LabNode): LabChange {
    const nodes = this.#nodes.filter(({ group }) => groups.includes(group));
    return this.#change(
      (operator) => this.#each(nodes, (node) => operator.join(this.#operated(node), this.#placeOf(through))),
      (state) => groups.every((group) => state.joined.includes(group)),
      (state) => state.isEven,
    );
  }

  leave(groups: readonly number[], through?: LabNode): LabChange {
    const nodes = this.#nodes.filter(({ group }) => groups.includes(group));
    return this.#change(
      (operator) => this.#each(nodes, (node) => operator.leave(this.#operated(node), this.#placeOf(through))),
      (state) => groups.every((group) => state.isLeaving(group)),
      (state) => state.isEven && groups.every((group) => state.hasLeft(group)),
    );
  }

  move(shard: number, group: number, through?: LabNode): LabChange {
    const node = this.#simulated(this.nodes(group)[0] as LabNode);
    return this.#change(
      (operator) => operator.move(cutOf(shard), this.#operated(node), this.#placeOf(through)),
      (state) => state.target(shard) === group,
      (state) => state.holder(shard) === group,
    );
  }

  query(number = -1, through?: LabNode): LabConfiguration | null {
    const places = through === undefined ? this.#runningPlaces : [this.#placeOf(through)];
    let told: LabConfiguration | null = null;
    const beginMs = this.now;
    for (let attempt = 0; told === null && this.now - beginMs < labLimits.queryMs; attempt += 1) {
      const at = places[attempt % places.length] ?? 0;
      let isOver = false;
      this.#run(async (operator) => {
        try {
          const { cuts, groupOf, groupSize } = this.#places;
          told = await operator.query(at, number, cuts, groupOf, groupSize);
        } catch (error) {
          if (!(error instanceof RpcError)) throw error;
          if (error.message.includes('no-such-configuration')) isOver = true;
        }
        if (!isOver && told === null) await this.#pause(20);
        isOver = true;
      });
      this.until(labLimits.queryMs, () => isOver);
      if (told === null && number > 0 && isOver && attempt >= 3 * places.length) break;
    }
    return told;
  }

  split(key: string, through?: LabNode): LabChange {
    const isSo = (state: LabOrder): boolean => state.isCutAt(key);
    return this.#change((operator) => operator.split(key, this.#placeOf(through)), isSo, isSo);
  }

  merge(key: string, through?: LabNode): LabChange {
    const isSo = (state: LabOrder): boolean => !state.isCutAt(key);
    return this.#change((operator) => operator.merge(key, this.#placeOf(through)), isSo, isSo);
  }

  get isSettled(): boolean {
    return this.#state()?.isQuiet === true;
  }

  refuses(shard: number, through: LabNode): boolean {
    const member = this.#memberOf(this.#simulated(through)) as Member;
    const row = this.#state()?.row(shard) ?? null;
    if (row === null) return false;
    let refused: boolean | null = null;
    const key = this.keyOf(shard, 'refused');
    this.world.after(
      0,
      () => void isRefused(member.shards, row, key).then((answer) => (refused = answer)),
      this.#simulated(through).node.life,
    );
    this.within('a write past all routing is answered', labLimits.queryMs, () => refused !== null);
    return refused === true && this.#state()?.has(shard, key) === false;
  }

  replayChanges(): void {
    const [place = 0] = this.#runningPlaces;
    const through = this.#nodes[place] as SimulatedNode;
    const member = this.#memberOf(through) as Member;
    let copies: number | null = null;
    this.world.after(
      0,
      () => void this.#copies.replay(member).then((count) => (copies = count)),
      through.node.life,
    );
    this.within('all of it comes again', labLimits.replayMs, () => copies !== null);
    this.world.coverage.count('late copies', copies ?? 0);
  }

  // Faults.

  nodes(group: number): readonly LabNode[] {
    return this.#nodes.filter((node) => node.group === group);
  }

  get controller(): LabNode | null {
    let leader: SimulatedNode | null = null;
    let highest = 0;
    for (const each of this.#nodes) {
      const status = this.#memberOf(each)?.group.status();
      if (status === undefined || status.role !== 'leader' || this.#cut.has(each) || status.term < highest)
        continue;
      [leader, highest] = [each, status.term];
    }
    return leader;
  }

  crash(nodes: readonly LabNode[]): void {
    for (const each of nodes.map((node) => this.#simulated(node))) {
      if (!each.node.running) continue;
      this.world.fault('crash', `crash ${each.name}: ${each.node.crash()}`);
      each.lives.member = null;
    }
    this.#stateAtEvent = -1;
  }

  start(nodes: readonly LabNode[]): void {
    this.#stateAtEvent = -1;
    for (const node of nodes) this.#simulated(node).node.start();
  }

  cutOff(nodes: readonly LabNode[]): void {
    const { links } = this.world.network;
    links.heal();
    this.#cut.clear();
    for (const node of nodes) this.#cut.add(this.#simulated(node));
    const apart = new Set([...this.#cut].map(({ node }) => node));
    for (const inside of apart) {
      for (const other of this.world.nodes.values()) {
        if (apart.has(other)) continue;
        links.cut(inside, other);
        links.cut(other, inside);
      }
    }
    if (apart.size > 0) this.world.fault('cut', `cut off ${nodes.map(({ name }) => name).join()}`);
  }

  get storedBytes(): number {
    return this.#nodes.reduce((sum, each) => {
      const member = this.#memberOf(each);
      const storage = this.#storages.get(each.name);
      if (each.group === 0 || member === null || storage === undefined) return sum;
      return sum + storedBytesOf(storage, member);
    }, 0);
  }

  // Clients.

  client(body: (client: KvClient) => Promise<void>): KvClient {
    const client = new KvClient(this, this.#clients.length + 1, body);
    this.#clients.push(client);
    const node = this.world.addNode(client.name, (platform) => client.main(platform));
    node.start();
    for (const { node: apart } of this.#cut) {
      this.world.network.links.cut(apart, node);
      this.world.network.links.cut(node, apart);
    }
    return client;
  }

  clientsEnd(limitMs: number = labLimits.clientsMs): void {
    this.within('clients end', limitMs, () => this.#clients.every(({ finished }) => finished));
  }

  open(platform: Platform, host: string): RpcChannel {
    return openFramedChannel(platform, { endpoints: [{ host, port: clientPort }] });
  }

  failed(message: string): void {
    this.world.violate('client failed', message);
  }

  // Within.

  get #groupSize(): number {
    return this.#options.nodesOfAGroup ?? 3;
  }

  /** As of this event: many ask for it at once. */
  #state(): LabOrder | null {
    if (this.#stateAtEvent !== this.world.events) {
      this.#stateAtEvent = this.world.events;
      this.#latestState = LabOrder.of(this.#members, this.#places);
    }
    return this.#latestState;
  }

  get #members(): readonly Member[] {
    return this.#nodes.flatMap((each) => this.#memberOf(each) ?? []);
  }

  #memberOf({ node, lives }: SimulatedNode): Member | null {
    return node.running ? lives.member : null;
  }

  get #runningPlaces(): readonly number[] {
    return this.#nodes.flatMap((each) =>
      this.#memberOf(each) === null || this.#cut.has(each) ? [] : [each.place],
    );
  }

  #simulated(node: LabNode): SimulatedNode {
    const found = this.#nodes.find(({ name }) => name === node.name);
    if (found === undefined) throw new Error(`there is no node ${node.name}`);
    return found;
  }

  #placeOf(through: LabNode | undefined): number {
    return through === undefined ? this.draw(orderers, 'node that is asked') : this.#simulated(through).place;
  }

  #operated({ lives, name, group }: SimulatedNode): { readonly id: number; readonly group: number } {
    const id =
      [...this.#groupById.keys()][this.memberNames.indexOf(name)] ?? lives.member?.shards.nodeId ?? 0;
    return { id, group };
  }

  async #each(nodes: readonly SimulatedNode[], ask: (node: SimulatedNode) => Promise<void>): Promise<void> {
    await Promise.all(nodes.map(ask));
  }

  #change(
    ask: (operator: ShardOperator) => Promise<void>,
    isWanted: (state: LabOrder) => boolean,
    isSo: (state: LabOrder) => boolean,
  ): LabChange {
    let refused: string | null = null;
    const once = async (): Promise<void> => {
      try {
        await ask(this.#operator as ShardOperator);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        refused ??= error.message;
      }
    };
    this.#run(once);
    const holds = (...conditions: readonly ((state: LabOrder) => boolean)[]): boolean => {
      const state = this.#state();
      return state !== null && conditions.every((condition) => condition(state));
    };
    return {
      get isTaken() {
        return holds(isWanted);
      },
      get isDone() {
        return holds(isWanted, isSo);
      },
      get refused() {
        return refused;
      },
    };
  }

  /** Does it to its end. */
  #act(limitMs: number, action: (operator: ShardOperator) => Promise<void>): void {
    let isOver = false;
    this.#run(async (operator) => {
      await action(operator);
      isOver = true;
    });
    this.within('the operator is done', limitMs, () => isOver);
  }

  #run(action: (operator: ShardOperator) => Promise<void>): void {
    const failed = (error: unknown): void => {
      this.world.violate('operator failed', String((error as Error).stack));
    };
    this.world.after(
      0,
      () => void action(this.#operator as ShardOperator).catch(failed),
      this.#operatorNode.life,
    );
  }

  #operatorPlatform: Platform | null = null;

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#operatorPlatform?.timer(durationMs, 'operator rests', resolve);
    });
  }

  #operatorOn(platform: Platform): ShardOperator {
    this.#operatorPlatform = platform;
    return new ShardOperator({
      channels: this.memberNames.map((name) => this.open(platform, name)),
      pause: (durationMs) => this.#pause(durationMs),
    });
  }

  #livesOf(name: string): MemberNode {
    const elected = (term: number, elect: string): void => {
      const other = this.#leaders.get(term);
      this.#leaders.set(term, elect);
      if (other === undefined || other === elect) return;
      this.world.violate('two leaders', `${other} and ${elect} both lead term ${term}`);
    };
    const wrapStorage = (storage: OrderedStorage): OrderedStorage => {
      this.#storages.set(name, storage);
      return storage;
    };
    const settings = { ...settingsOf(this.#options), wrapStorage };
    const lives = new WatchedMember(this.world, settings, name, this.memberNames, this.#written, elected);
    lives.copies = this.#copies;
    return lives;
  }

  #fail(message: string): never {
    const state = this.#state()?.describe() ?? 'not sharded';
    const down = this.#nodes.filter((each) => this.#memberOf(each) === null).map(({ name }) => name);
    const waiting = this.#clients.filter(({ finished }) => !finished).length;
    this.world.violate(
      'threshold',
      `${message}; ${waiting} clients are waiting; down: ${down.join()}; controller ${this.controller?.name ?? 'none'}; ${state}`,
    );
    throw new LabStopped(message);
  }

  #stopIfFailed(): void {
    const { violation } = this.world;
    if (violation !== null) throw new LabStopped(violation.message);
  }
}
