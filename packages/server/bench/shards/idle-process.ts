import { join } from 'node:path';
import type { Logger } from '@flotilla/platform';
import { orderShard } from '@flotilla/store';
import { startNodeMember } from '../../src/cli/node-member.ts';
import { configure } from '../../src/configuration/configuration.ts';
import type { Member } from '../../src/member/member.ts';
import { median } from './figures.ts';
import { type IdleFigures, type IdlePlan, idleMembers } from './idle-figures.ts';

const SPLITS_AT_ONCE = 48;
const IDLE_ROUNDS = 3;
const patience = { timeoutMs: 60_000 };

/** What `idle.ts` starts as a process of its own: its one argument is the plan, its one line the figures. */
async function main({ directory, basePort, shards, idleSeconds }: IdlePlan): Promise<IdleFigures> {
  const members = await startMembers(directory, basePort);
  await begin(members);
  await settled(members, 1);
  const cpuOfOneShard = await cpuPercent(idleSeconds);
  const bytesBefore = usedBytes();
  const begun = performance.now();
  await splitInto(members, shards);
  await settled(members, shards);
  const seconds = (performance.now() - begun) / 1_000;
  const cpu = await cpuPercent(idleSeconds);
  const rest = ticksAndMessages(members);
  await pause(1_000);
  const after = ticksAndMessages(members);
  const bytes = usedBytes() - bytesBefore;
  await Promise.all(members.map((member) => member.stop()));
  return {
    bytes,
    cpuPercent: cpu,
    cpuPercentOfOneShard: cpuOfOneShard,
    messagesPerSecond: after.messages - rest.messages,
    ticksPerSecond: after.ticks - rest.ticks,
    secondsToSplit: seconds,
  };
}

async function startMembers(directory: string, basePort: number): Promise<readonly Member[]> {
  const names = Array.from({ length: idleMembers }, (_, i) => `n${i + 1}`);
  const peer = (i: number): string => `http://127.0.0.1:${basePort + 2 * i + 1}`;
  const members = await Promise.all(
    names.map((name, i) => {
      const client = `http://127.0.0.1:${basePort + 2 * i}`;
      const settings = new Map([
        ['name', name],
        ['data-dir', join(directory, 'idle', name)],
        ['listen-client-urls', client],
        ['advertise-client-urls', client],
        ['listen-peer-urls', peer(i)],
        ['initial-advertise-peer-urls', peer(i)],
        ['initial-cluster', names.map((other, place) => `${other}=${peer(place)}`).join(',')],
      ]);
      return startNodeMember(configure(settings), quiet, failed);
    }),
  );
  await Promise.all(members.map((member) => member.whenReady()));
  return members;
}

const silence = (): void => undefined;
const quiet: Logger = { debug: silence, info: silence, warn: silence, error: silence };

function failed(error: Error): void {
  process.stderr.write(`a member has failed: ${error.stack ?? error.message}\n`);
  process.exit(1);
}

async function begin(members: readonly Member[]): Promise<void> {
  const { shards, membership } = members[0] as Member;
  while (membership.level < 3) await pause(50);
  const nodes = membership.members.map(({ nodeId }) => ({ node: nodeId, zone: '', labels: [] }));
  await shards.propose({ kind: 'begin', nodes }, patience);
  while (members.some((member) => member.shards.order === null)) await pause(20);
  // Nobody merges what is kept, however small it is; children are as their parent is.
  const configuration = shards.order?.configuration.number ?? 0;
  await shards.propose({ kind: 'wish', wish: 'kept', id: orderShard, value: 1, configuration }, patience);
}

interface Stretch {
  /** Numbers of keys: a shard begins with the first. */
  readonly from: number;
  readonly to: number;
}

/** Each shard in two, and each of those, many at a time. */
async function splitInto(members: readonly Member[], shards: number): Promise<void> {
  const { shards: node } = members[0] as Member;
  const stretches: Stretch[] = [{ from: 0, to: shards }];
  let busy = 0;
  let made = 1;
  let told = performance.now();
  const worker = async (): Promise<void> => {
    for (;;) {
      const stretch = stretches.shift();
      if (stretch === undefined) {
        if (busy === 0) return;
        await pause(5);
        continue;
      }
      const { from, to } = stretch;
      if (to - from < 2) continue;
      busy += 1;
      const middle = (from + to) >> 1;
      await split(node, keyOf(middle));
      stretches.push({ from, to: middle }, { from: middle, to });
      busy -= 1;
      made += 1;
      if (performance.now() - told > 10_000) {
        told = performance.now();
        process.stderr.write(`idle: ${made} of ${shards} shards\n`);
      }
    }
  };
  await Promise.all(Array.from({ length: SPLITS_AT_ONCE }, worker));
}

async function split(node: Member['shards'], at: Uint8Array): Promise<void> {
  for (;;) {
    const { order } = node;
    if (order === null) throw new Error('the cluster is sharded');
    const { shard, range, span } = order.map.ofKey(at);
    if (Buffer.compare(span.from, at) === 0) return;
    try {
      await node.log(shard, { kind: 'barrier', change: { kind: 'split', shard, at }, range }, patience);
    } catch {
      // Its child's first leader may still be on its way.
      await pause(50);
      continue;
    }
    const untilMs = performance.now() + 2_000;
    while ((node.order?.map.row(shard)?.range ?? range) === range && performance.now() < untilMs)
      await pause(2);
  }
}

function keyOf(number: number): Uint8Array {
  return Buffer.from(`k${String(number).padStart(8, '0')}`);
}

/** All replicas are there, led, and have nothing to do. */
async function settled(members: readonly Member[], shards: number): Promise<void> {
  const isAtRest = ({ shards: node }: Member): boolean => {
    const { order } = node;
    if (order === null || order.map.rows.length !== shards) return false;
    return order.map.rows.every(({ shard }) => {
      if (shard === orderShard) return true;
      const held = node.held(shard);
      return held?.isReady === true && held.leader !== 0;
    });
  };
  while (!members.every(isAtRest)) await pause(100);
  // What was decided last is still to be logged by shards, stored, and swept.
  await pause(5_000);
}

/** Of one core. */
async function cpuPercent(seconds: number): Promise<number> {
  const samples: number[] = [];
  for (let round = 0; round < IDLE_ROUNDS; round += 1) {
    const begun = performance.now();
    const cpu = process.cpuUsage();
    await pause(seconds * 1_000);
    const { user, system } = process.cpuUsage(cpu);
    samples.push((user + system) / 10 / (performance.now() - begun));
  }
  return median(samples);
}

function ticksAndMessages(members: readonly Member[]): { readonly ticks: number; readonly messages: number } {
  const sum = (metric: 'ticks' | 'messagesSent'): number =>
    members.reduce((total, { host }) => total + host.metrics[metric], 0);
  return { ticks: sum('ticks'), messages: sum('messagesSent') };
}

function usedBytes(): number {
  const { gc } = globalThis as { readonly gc?: () => void };
  if (gc === undefined) throw new Error('run with --expose-gc');
  for (let i = 0; i < 3; i += 1) gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}

const figures = await main(JSON.parse(process.argv[2] as string) as IdlePlan);
process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit());
