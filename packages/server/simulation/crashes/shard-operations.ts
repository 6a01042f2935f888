import type { Platform } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import type { SimNode } from '@flotilla/sim';
import { orderShard } from '@flotilla/store';
import { callUnary, KV, openFramedChannel, PutRequest, type RpcChannel, RpcError } from '@flotilla/wire';
import { bytesOf } from '../cluster/etcd-messages.ts';
import { clientPort } from '../cluster/member-node.ts';
import { ShardOperator } from '../scenarios/sharded/shard-operator.ts';
import { ShardLab } from '../shards/shard-lab.ts';
import { CrashPoint } from './crash-point.ts';
import type { CrashRun, Operation } from './operations.ts';

/** Of the shard that is changed: who leads it, who leads the order and so controls all, and who is to get a replica. */
type Victim = 'leader' | 'controller' | 'newcomer';

interface Change {
  readonly victims: readonly Victim[];
  ask(operator: ShardOperator, lab: ShardLab): Promise<void>;
}

const members = 5;
/** First keys of the shards before the change; the second is the one that is changed. */
const cuts = ['h', 'p'] as const;
const changed = 'h';
const changes = {
  split: { victims: ['leader', 'controller'], ask: (operator) => operator.split('k') },
  merge: { victims: ['leader', 'controller'], ask: (operator) => operator.merge('p') },
  move: {
    victims: ['leader', 'controller', 'newcomer'],
    ask: (operator, lab) => operator.move(changed, { id: newcomerOf(lab), group: 0 }),
  },
  leave: {
    victims: ['leader', 'controller'],
    ask: (operator, lab) => operator.leave({ id: holdersOf(lab)[0] as number, group: 0 }),
  },
} as const satisfies Readonly<Record<string, Change>>;

/** What changes shards, under load, where one of those that take part dies on the way and comes back. */
export const shardOperations: ReadonlyMap<string, Operation> = new Map(
  Object.entries(changes).flatMap(([name, change]: readonly [string, Change]) =>
    change.victims.map((victim): [string, Operation] => [
      `${name}, its ${victim}`,
      (seed, at, lateMs) => run(change, victim, seed, at, lateMs),
    ]),
  ),
);

async function run(
  change: Change,
  victim: Victim,
  seed: number,
  at: number,
  lateMs: number | undefined,
): Promise<CrashRun> {
  // It is back at once, or others have taken over meanwhile.
  const point = new CrashPoint(at, lateMs, at % 2 === 0 ? 20 : 3_000);
  let outcome = '';
  await ShardLab.run({ members, seed, crashes: point }, (lab) => {
    const clients = new Clients(lab);
    const operator = new ShardOperator(clients);
    const operate = (what: string, action: () => Promise<void>): void => {
      let isOver = false;
      clients.spawn(() => action().then(() => void (isOver = true)));
      lab.until(what, () => isOver, endMs);
    };
    lab.begin();
    // By hand: nobody merges them unasked.
    for (const cut of cuts) operate(`the shard from ${cut}`, () => operator.split(cut));
    leadElsewhere(lab);
    lab.until('everybody to be written for', () => clients.rounds > 1);
    point.arm(nodeOf(lab, victim));
    operate('the change', () => change.ask(operator, lab));
    lab.pass(restMs);
    point.disarm();
    clients.stop();
    lab.until('all to be up', () => lab.running.length === members, endMs);
    lab.until('the last writes', () => clients.isIdle, endMs);
    lab.converge();
    outcome = outcomeOf(lab, clients);
  });
  return { outcome, steps: point.steps, crashedAt: point.crashedAt };
}

const endMs = 60_000;
/** Behind the change: replicas that nobody needs go, and the memory of the former shard. */
const restMs = 1_500;

/** Equal wherever the change has come to its end, whole and once. */
function outcomeOf(lab: ShardLab, clients: Clients): string {
  const shards = lab.order().map.rows.map(({ span, nodes, shard }) => ({
    from: span.from === null ? '' : new TextDecoder().decode(span.from),
    replicas: shard === orderShard ? 'all' : nodes.length,
  }));
  for (const [key, value] of clients.written) {
    const found = lab.get(key);
    if (found !== value) throw new Error(`${key} is ${found}, and ${value} was acknowledged`);
  }
  const nodes = lab.order().configuration.nodes.map(({ state }) => state);
  return JSON.stringify({ shards, nodes: nodes.sort(), keys: clients.written.size });
}

/** The shard is led by another node than the order. */
function leadElsewhere(lab: ShardLab): void {
  const { shard } = lab.order().map.ofKey(bytesOf(changed));
  lab.led(shard);
  const from = lab.running.findIndex((member) => member === lab.leaderOf(shard));
  const to = holdersOf(lab).find((node) => node !== lab.nodeId(lab.leader) && node !== lab.nodeId(from));
  if (from !== lab.leader || to === undefined) return;
  lab.act(from, async ({ shards }) => {
    await shards.moveLeader(shard, to as NodeId, { timeoutMs: endMs });
    return true;
  });
  lab.led(shard);
}

function holdersOf(lab: ShardLab): readonly number[] {
  return lab.order().map.ofKey(bytesOf(changed)).nodes;
}

function newcomerOf(lab: ShardLab): number {
  const holders = holdersOf(lab);
  const node = lab.members.findIndex((_, i) => !holders.includes(lab.nodeId(i)));
  return lab.nodeId(node);
}

function nodeOf(lab: ShardLab, victim: Victim): SimNode {
  const leader = lab.leaderOf(lab.order().map.ofKey(bytesOf(changed)).shard);
  const place = {
    controller: () => lab.leader,
    leader: () => lab.running.findIndex((member) => member === leader),
    newcomer: () => lab.members.findIndex((_, i) => lab.nodeId(i) === newcomerOf(lab)),
  }[victim]();
  const node = lab.nodes[place];
  if (node === undefined) throw new Error(`there is no ${victim}`);
  return node;
}

/** Write a key of each shard, one value after the other, each until it is acknowledged. */
class Clients {
  /** What was acknowledged last. */
  readonly written = new Map<string, string>();
  rounds = 0;
  isIdle = false;
  channels: readonly RpcChannel[] = [];
  #platform: Platform | null = null;
  #stopped = false;

  constructor(lab: ShardLab) {
    lab.world
      .addNode('clients', (platform) => {
        this.#platform = platform;
        this.channels = lab.nodes.map(({ name }) =>
          openFramedChannel(platform, { endpoints: [{ host: name, port: clientPort }] }),
        );
        this.spawn(() => this.#write());
      })
      .start();
  }

  spawn(action: () => Promise<void>): void {
    this.#platform?.spawn('client', action);
  }

  stop(): void {
    this.#stopped = true;
  }

  async pause(durationMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#platform?.timer(durationMs, 'pause', resolve);
    });
  }

  async #write(): Promise<void> {
    for (; !this.#stopped; this.rounds += 1) {
      for (const prefix of ['a', ...cuts, 'k', 'z']) {
        const key = `${prefix}/${this.rounds % keysOfPrefix}`;
        await this.#put(key, String(this.rounds));
      }
      await this.pause(betweenMs);
    }
    this.isIdle = true;
  }

  async #put(key: string, value: string): Promise<void> {
    const request = PutRequest.create({ key: bytesOf(key), value: bytesOf(value) });
    for (let attempt = this.rounds; ; attempt += 1) {
      const channel = this.channels[attempt % this.channels.length] as RpcChannel;
      try {
        await callUnary(channel, KV.methods.Put, request, { timeoutMs: tryMs });
        this.written.set(key, value);
        return;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
      }
      await this.pause(betweenMs);
    }
  }
}

const keysOfPrefix = 3;
const betweenMs = 20;
const tryMs = 1_000;
