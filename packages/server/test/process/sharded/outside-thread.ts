// The thread that has the processes and the sockets of a lab whose script runs, and waits, in another one.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { callUnary, type ClientStream, HashKVRequest, Maintenance, RpcError, Status } from '@flotilla/wire';
import { fair } from '../../../../raft/test/process/member-proxy.ts';
import { unfinishedOf } from '../doubt-watch.ts';
import { unreliableWeather } from '../peer-links.ts';
import { type MemberProcess, pause, ProcessCluster } from '../process-cluster.ts';
import { look } from './cluster-sight.ts';
import type {
  FromOutside,
  NetworkKind,
  Command,
  OutsideData,
  StartOptions,
  ToOutside,
} from './outside-messages.ts';

const lookEveryMs = 100;
const { port, said } = workerData as OutsideData & { readonly port: MessagePort };
const streams = new Map<number, ClientStream<Uint8Array, Uint8Array>>();
const down = new Set<number>();
const apart = new Set<number>();
let cluster: ProcessCluster | null = null;

port.on('message', (message: ToOutside) => {
  void take(message);
});

parentPort?.postMessage('ready');

async function take(message: ToOutside): Promise<void> {
  switch (message.kind) {
    case 'command':
      return await obey(message.id, message.command);
    case 'unary':
      return await unary(message);
    case 'stream':
      return await stream(message);
    case 'write':
      streams.get(message.id)?.write(message.message);
      return;
    case 'end':
      streams.get(message.id)?.end();
      return;
    case 'cancel':
      streams.get(message.id)?.cancel();
      return;
  }
}

function say(message: FromOutside): void {
  port.postMessage(message);
  Atomics.add(said, 0, 1);
  Atomics.notify(said, 0);
}

async function obey(id: number, command: Command): Promise<void> {
  try {
    await carryOut(command);
    say({ id, kind: 'done', message: null });
  } catch (error) {
    say({ id, kind: 'done', message: `${String((error as Error).stack)}\n${cluster?.logs() ?? ''}` });
  }
}

async function carryOut(command: Command): Promise<void> {
  switch (command.kind) {
    case 'begin':
      return await begin(command.options);
    case 'kill':
      for (const index of command.members) down.add(index);
      await Promise.all(command.members.map((index) => the().kill(member(index))));
      return;
    case 'start': {
      const asked = command.members.filter((index) => down.has(index));
      await Promise.all(asked.map((index) => the().restart(member(index))));
      for (const index of asked) down.delete(index);
      return;
    }
    case 'cut':
      apart.clear();
      for (const index of command.members) apart.add(index);
      the().links?.partition(command.members);
      return;
    case 'network':
      return useNetwork(command.network);
    case 'judge':
      return await judge(command.withinMs);
    case 'remove':
      await cluster?.remove();
      cluster = null;
      return;
  }
}

async function begin({ members, flags, network }: StartOptions): Promise<void> {
  cluster = await ProcessCluster.start({ members, flags, throughLinks: true });
  useNetwork(network);
  void lookOn();
}

function useNetwork(network: NetworkKind): void {
  const { links } = the();
  if (links !== null) links.weather = network === 'reliable' ? fair : unreliableWeather;
}

/** As long as there is a cluster. */
async function lookOn(): Promise<void> {
  while (cluster !== null) {
    const reachable = cluster.members.filter(({ index }) => !down.has(index) && !apart.has(index));
    const sight = await look(reachable);
    if (sight !== null) say({ id: 0, kind: 'sight', sight });
    await pause(lookEveryMs);
  }
}

async function judge(withinMs: number): Promise<void> {
  const end = Date.now() + withinMs;
  const { members } = the();
  for (;;) {
    const [unfinished, hashes] = await Promise.all([
      Promise.all(members.map((each) => unfinishedOf(each))),
      Promise.all(members.map((each) => hashOf(each))),
    ]);
    const isOver = unfinished.every((its) => its !== null && its.prepared + its.waiting + its.draining === 0);
    if (isOver && hashes.every((hash) => hash !== null && hash === hashes[0])) return;
    if (Date.now() > end) {
      const text = members.map((_, i) => `n${i + 1} ${hashes[i]}, ${JSON.stringify(unfinished[i])}`);
      throw new Error(`members differ, or have not finished:\n${text.join('\n')}`);
    }
    await pause(100);
  }
}

async function hashOf({ channel }: MemberProcess): Promise<string | null> {
  try {
    const request = HashKVRequest.create();
    const { header, hash } = await callUnary(channel, Maintenance.methods.HashKV, request, {
      timeoutMs: 10_000,
    });
    return `${hash} at ${header?.revision}`;
  } catch {
    return null;
  }
}

async function unary(message: Extract<ToOutside, { readonly kind: 'unary' }>): Promise<void> {
  const { id, path, frame, timeoutMs, metadata } = message;
  try {
    const options = timeoutMs === null ? { metadata } : { metadata, timeoutMs };
    const bytes = await member(message.member).channel.unary(path, frame, options);
    say({ id, kind: 'answer', bytes: Uint8Array.from(bytes) });
  } catch (error) {
    failed(id, error);
  }
}

async function stream(message: Extract<ToOutside, { readonly kind: 'stream' }>): Promise<void> {
  const { id, path, timeoutMs, metadata } = message;
  try {
    const options = timeoutMs === null ? { metadata } : { metadata, timeoutMs };
    const opened = member(message.member).channel.stream(path, options);
    streams.set(id, opened);
    for (let next = await opened.read(); next !== null; next = await opened.read()) {
      say({ id, kind: 'message', bytes: Uint8Array.from(next) });
    }
    say({ id, kind: 'over' });
  } catch (error) {
    failed(id, error);
  } finally {
    streams.delete(id);
  }
}

function failed(id: number, error: unknown): void {
  const { status, message } =
    error instanceof RpcError ? error : { status: Status.INTERNAL, message: String((error as Error).stack) };
  say({ id, kind: 'failed', status, message });
}

function the(): ProcessCluster {
  if (cluster === null) throw new Error('there is no cluster');
  return cluster;
}

function member(index: number): MemberProcess {
  return the().members[index] as MemberProcess;
}
