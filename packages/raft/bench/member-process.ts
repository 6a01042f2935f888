// One of the three processes of `three-processes.ts`: a member on real files and sockets, and beside it a writer that
// finds out what the disk gives. Does what its parent says, one thing at a time.
import { closeSync, fdatasync, openSync, writeSync } from 'node:fs';
import { nodePlatform } from '@flotilla/platform/node';
import { configurationOf, createHost } from '@flotilla/raft';
import type { Group, Host, NodeId } from '@flotilla/raft';
import { CountingMachine } from './counting-machine.ts';
import { closedLoop } from './load.ts';
import type { ClosedLoop } from './load.ts';

export interface MemberOptions {
  readonly nodeId: number;
  readonly directory: string;
  readonly ports: readonly number[];
}

export type Order =
  | { readonly type: 'role' }
  | { readonly type: 'usage' }
  | {
      readonly type: 'propose';
      readonly inFlight: number;
      readonly payloadBytes: number;
      readonly ms: number;
      readonly warmUpMs: number;
    }
  | { readonly type: 'write'; readonly groupBytes: number; readonly ms: number };

export type Answer =
  | { readonly type: 'role'; readonly leads: boolean; readonly leaderKnown: boolean }
  | {
      readonly type: 'usage';
      readonly cpuSeconds: number;
      readonly logBytes: number;
      readonly logEntries: number;
      readonly logSyncs: number;
    }
  | ({ readonly type: 'propose' } & ClosedLoop)
  | { readonly type: 'write'; readonly groups: number; readonly seconds: number };

const options = JSON.parse(process.argv[2] ?? '{}') as MemberOptions;
const { host, group } = await start();
process.on('disconnect', () => process.exit(0));
process.on('message', (order: Order) => {
  answer(order).then(
    (said) => process.send?.(said),
    (error: unknown) => {
      throw error;
    },
  );
});
process.send?.({ type: 'ready' });

async function start(): Promise<{ host: Host; group: Group<number> }> {
  const peers = new Map(options.ports.map((port, i) => [(i + 1) as NodeId, { host: '127.0.0.1', port }]));
  const nodeId = options.nodeId as NodeId;
  const platform = nodePlatform({
    nodeName: `n${nodeId}`,
    logger: { debug: ignore, info: ignore, warn: ignore, error: (message) => console.error(message) },
    onFatal: (error) => {
      throw error;
    },
  });
  const { directory } = options;
  const listen = peers.get(nodeId) ?? { host: '127.0.0.1', port: 0 };
  const made = await createHost({ platform, nodeId, clusterId: 1n, directory, peers, listen });
  const stateMachine = new CountingMachine();
  const initialConfiguration = configurationOf([...peers.keys()]);
  return { host: made, group: await made.openGroup({ id: 0, stateMachine, initialConfiguration }) };
}

async function answer(order: Order): Promise<Answer> {
  switch (order.type) {
    case 'role': {
      const { role, leader } = group.status();
      return { type: 'role', leads: role === 'leader', leaderKnown: leader !== 0 };
    }
    case 'usage': {
      const { user, system } = process.cpuUsage();
      const { writtenBytes, entries, syncs } = host.status().log;
      return {
        type: 'usage',
        cpuSeconds: (user + system) / 1e6,
        logBytes: writtenBytes,
        logEntries: entries,
        logSyncs: syncs,
      };
    }
    case 'propose': {
      const payload = new Uint8Array(order.payloadBytes).fill(7);
      return { type: 'propose', ...(await closedLoop(group, { ...order, payload })) };
    }
    case 'write':
      return { type: 'write', ...(await writeGroups(order.groupBytes, order.ms)) };
    default:
      return order satisfies never;
  }
}

/** What any log could reach at best: one write and one sync per group, into a file that was filled beforehand. */
async function writeGroups(groupBytes: number, ms: number): Promise<{ groups: number; seconds: number }> {
  const sizeBytes = 32 * 1024 * 1024;
  const file = openSync(`${options.directory}/writer`, 'w+');
  const zeros = new Uint8Array(1024 * 1024);
  for (let at = 0; at < sizeBytes; at += zeros.length) writeSync(file, zeros, 0, zeros.length, at);
  await sync(file);
  const bytes = new Uint8Array(groupBytes).fill(7);
  const begin = performance.now();
  let [groups, at] = [0, 0];
  while (performance.now() - begin < ms) {
    if (at + bytes.length > sizeBytes) at = 0;
    writeSync(file, bytes, 0, bytes.length, at);
    await sync(file);
    at += bytes.length;
    groups += 1;
  }
  const seconds = (performance.now() - begin) / 1000;
  closeSync(file);
  return { groups, seconds };
}

function sync(file: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(file, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function ignore(): void {
  // Only errors are worth a line here.
}
