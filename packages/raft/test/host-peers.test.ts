import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { nodePlatform } from '@flotilla/platform/node';
import { configurationOf } from '../src/core/configuration.ts';
import { ByteWriter } from '../src/host/bytes.ts';
import { beginFrame, endFrame, FrameDecoder, preface } from '../src/host/frame.ts';
import type { FrameKind } from '../src/host/frame.ts';
import { decodeRefusal, encodeHello } from '../src/host/handshake.ts';
import type { Hello } from '../src/host/handshake.ts';
import { createHost } from '../src/host/host.ts';
import { decodeBatch, encodeRaftMessage } from '../src/host/messages.ts';
import type { Host } from '../src/host/types.ts';
import type { NodeId } from '../src/core/types.ts';
import { appendCommand } from '../simulation/host-machine.ts';
import { freePort, TestCluster, until } from './host-cluster.ts';
import type { TestMember } from './host-cluster.ts';

const timeoutMs = 20_000;
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function clusterOf(...options: Parameters<typeof TestCluster.create>): Promise<TestCluster> {
  const cluster = await TestCluster.create(...options);
  cleanups.push(() => cluster.stop());
  return cluster;
}

/** A client of the peer port that is not a host: sends what it likes and keeps what it hears. */
class Stranger {
  readonly frames: { kind: FrameKind; body: Uint8Array }[] = [];
  closed = false;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const decoder = new FrameDecoder(checksum, 1 << 20, (kind, body) => this.frames.push({ kind, body }));
    socket.on('data', (chunk) => decoder.push(new Uint8Array(chunk)));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
    });
  }

  static async dial(cluster: TestCluster, member: TestMember): Promise<Stranger> {
    const address = cluster.addresses.get(member.id);
    const socket = connect(address?.port ?? 0, '127.0.0.1');
    cleanups.push(() => void socket.destroy());
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new Stranger(socket);
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  hello(changes: Partial<Hello> = {}): void {
    const writer = new ByteWriter();
    writer.raw(preface);
    const start = beginFrame(writer, 'hello');
    encodeHello(writer, {
      minVersion: 1,
      maxVersion: 1,
      clusterId: 0xf107n,
      from: 1 as NodeId,
      to: 2 as NodeId,
      incarnation: 77,
      instance: 0n,
      knows: 0,
      forwardsReceived: 0,
      ...changes,
    });
    endFrame(writer, start, checksum);
    this.send(writer.take());
  }

  batch(body: Uint8Array): void {
    const writer = new ByteWriter();
    const start = beginFrame(writer, 'batch');
    writer.raw(body);
    endFrame(writer, start, checksum);
    this.send(writer.take());
  }

  async heard(kind: FrameKind): Promise<Uint8Array> {
    await until(`a ${kind} frame`, () => this.frames.some((frame) => frame.kind === kind));
    return this.frames.find((frame) => frame.kind === kind)?.body ?? new Uint8Array(0);
  }
}

const checksum = (bytes: Uint8Array, seed?: number): number => crc32(bytes, seed);

function logged(member: TestMember, code: string): boolean {
  return member.lines.some((line) => line.fields['code'] === code);
}

function isAlive(member: TestMember, peer: number): boolean {
  return member.host?.status().peers.some(({ id, alive }) => id === peer && alive) ?? false;
}

describe('the handshake', () => {
  it.each<[string, Partial<Hello>]>([
    ['FLOTILLA_PEER_VERSION', { minVersion: 2, maxVersion: 9 }],
    ['FLOTILLA_PEER_CLUSTER_MISMATCH', { clusterId: 0xbadn }],
    ['FLOTILLA_PEER_ID_MISMATCH', { to: 3 as NodeId }],
    ['FLOTILLA_PEER_DUPLICATE_ID', { from: 2 as NodeId }],
    ['FLOTILLA_PEER_REFUSED', { from: 3 as NodeId }],
  ])('is refused with %s', async (code, changes) => {
    const cluster = await clusterOf(3);
    const member = cluster.member(2);
    await member.start();
    const stranger = await Stranger.dial(cluster, member);
    stranger.hello(changes);
    expect(decodeRefusal(await stranger.heard('refusal')).code).toBe(code);
    await until('the end', () => stranger.closed);
    expect(logged(member, code)).toBe(true);
    expect(member.host?.status().peers.every((peer) => !peer.alive)).toBe(true);
  });

  it('is refused with FLOTILLA_PEER_UNKNOWN as long as a leader is known', async () => {
    const cluster = await clusterOf(3);
    await cluster.start();
    await cluster.leader();
    const member = cluster.member(2);
    await until('a leader that is heard', () => {
      const { leader } = member.running.status();
      return leader === 2 || isAlive(member, leader);
    });
    const stranger = await Stranger.dial(cluster, member);
    stranger.hello({ from: 9 as NodeId });
    expect(decodeRefusal(await stranger.heard('refusal')).code).toBe('FLOTILLA_PEER_UNKNOWN');
    expect(logged(member, 'FLOTILLA_PEER_UNKNOWN')).toBe(true);
  });

  it('lets in whom it does not know when no leader is heard of: it may be behind', async () => {
    const cluster = await clusterOf(3);
    const member = cluster.member(2);
    await member.start();
    const stranger = await Stranger.dial(cluster, member);
    stranger.hello({ from: 9 as NodeId });
    await stranger.heard('welcome');
  });

  it('hangs up on whom it let in so when a leader is heard, and does not know it any more', async () => {
    const cluster = await clusterOf(3);
    const member = cluster.member(2);
    await member.start();
    const stranger = await Stranger.dial(cluster, member);
    stranger.hello({ from: 9 as NodeId });
    await stranger.heard('welcome');
    await Promise.all([cluster.member(1).start(), cluster.member(3).start()]);
    await cluster.leader();
    await until('the end', () => stranger.closed);
    expect(member.host?.status().peers.map(({ id }) => id)).toEqual([1, 3]);
  });

  it.each([1, 3])('keeps out member %d when it comes back with other data, and stops it', async (lost) => {
    const cluster = await clusterOf(3);
    cluster.instanceOf = (id) => BigInt(id);
    await cluster.start();
    await cluster.member(2).running.propose(appendCommand(1), { timeoutMs });
    const member = cluster.member(lost);
    await member.stop();
    await member.start(1, 77n);
    await until('the end', () => member.fatal.length > 0);
    expect(member.fatal[0]).toMatchObject({ code: 'FLOTILLA_PEER_OTHER_INSTANCE' });
    await cluster.member(2).running.propose(appendCommand(2), { timeoutMs });
    expect(cluster.member(2).fatal).toEqual([]);
  });

  it.each([1, 3])('ends for member %d, too, when its data is known only after it', async (lost) => {
    const cluster = await clusterOf(3);
    await cluster.start();
    await cluster.leader();
    const other = cluster.member(2);
    await until('a connection', () => isAlive(other, lost));
    cluster.instanceOf = (id) => (id === lost ? 77n : null);
    other.host?.judgePeers();
    expect(isAlive(other, lost)).toBe(false);
    await until('the end', () => cluster.member(lost).fatal.length > 0);
    expect(cluster.member(lost).fatal[0]).toMatchObject({ code: 'FLOTILLA_PEER_OTHER_INSTANCE' });
    expect(other.fatal).toEqual([]);
  });

  it.each([1, 3])(
    'is judged with each heartbeat for member %d, whether anybody asks or not',
    async (lost) => {
      const cluster = await clusterOf(3);
      await cluster.start();
      await cluster.leader();
      await until('a connection', () => isAlive(cluster.member(2), lost));
      cluster.instanceOf = (id) => (id === lost ? 77n : null);
      await until('the end', () => cluster.member(lost).fatal.length > 0);
    },
  );

  it.each([1, 3])(
    'keeps out member %d when it has met it with other data, whatever the log says',
    async (lost) => {
      const cluster = await clusterOf(3);
      cluster.instanceOf = () => null;
      const [member, other] = [cluster.member(lost), cluster.member(2)];
      await member.start(1, 7n);
      await other.start(1, 2n);
      await until('a connection', () => isAlive(other, lost));
      // Whatever it has sent is only taken from it when its data is known for good, so a crash changes nothing.
      await Promise.all([member.stop(), other.stop()]);
      await other.start(1, 2n);
      expect(other.host?.knows(lost as NodeId)).toBe(true);
      await member.start(1, 77n);
      await until('the end', () => member.fatal.length > 0);
      expect(member.fatal[0]).toMatchObject({ code: 'FLOTILLA_PEER_OTHER_INSTANCE' });
    },
  );

  it('keeps out who was known by other data before the start, when that has yet to be applied again', async () => {
    const cluster = await clusterOf(3);
    cluster.instanceOf = (id) => BigInt(id);
    await cluster.start();
    await cluster.leader();
    await Promise.all(cluster.members.map((member) => member.stop()));
    // At a start nothing is applied yet.
    cluster.instanceOf = () => null;
    await cluster.member(3).start(1, 77n);
    await cluster.member(2).start(1, 2n);
    await until('the end', () => cluster.member(3).fatal.length > 0);
    expect(cluster.member(3).fatal[0]).toMatchObject({ code: 'FLOTILLA_PEER_OTHER_INSTANCE' });
    expect(isAlive(cluster.member(2), 3)).toBe(false);
    await cluster.member(1).start(1, 1n);
    await cluster.member(2).running.propose(appendCommand(1), { timeoutMs });
  });

  it('agrees on the highest version that both speak', async () => {
    const cluster = await clusterOf(3);
    await cluster.member(2).start();
    const stranger = await Stranger.dial(cluster, cluster.member(2));
    stranger.hello({ minVersion: 1, maxVersion: 9 });
    const welcome = await stranger.heard('welcome');
    expect([welcome[0], welcome[1]]).toEqual([0, 1]);
  });

  it('keeps the place of a live member when another process comes under its name', async () => {
    const cluster = await clusterOf(3);
    await cluster.member(2).start();
    const first = await Stranger.dial(cluster, cluster.member(2));
    first.hello();
    await first.heard('welcome');
    const second = await Stranger.dial(cluster, cluster.member(2));
    second.hello({ incarnation: 78 });
    expect(decodeRefusal(await second.heard('refusal')).code).toBe('FLOTILLA_PEER_DUPLICATE_ID');
    expect(first.closed).toBe(false);
    const again = await Stranger.dial(cluster, cluster.member(2));
    again.hello();
    await again.heard('welcome');
    await until('the former connection to end', () => first.closed);
  });

  it('ends when nothing is said', async () => {
    const cluster = await clusterOf(3, { limits: { handshakeTimeoutMs: 50 } });
    await cluster.member(2).start();
    const stranger = await Stranger.dial(cluster, cluster.member(2));
    await until('the end', () => stranger.closed);
    expect(logged(cluster.member(2), 'FLOTILLA_PEER_HANDSHAKE_TIMEOUT')).toBe(true);
  });

  it('leaves no more strangers waiting than its bound', async () => {
    const cluster = await clusterOf(3, { limits: { pendingHandshakes: 2 } });
    await cluster.member(2).start();
    const kept = [
      await Stranger.dial(cluster, cluster.member(2)),
      await Stranger.dial(cluster, cluster.member(2)),
    ];
    // Turned away at once: before or after the dialer knows that it was connected.
    const third = await Stranger.dial(cluster, cluster.member(2)).catch(() => null);
    await until('the third to be turned away', () => third === null || third.closed);
    expect(kept.map((stranger) => stranger.closed)).toEqual([false, false]);
  });

  it('tells the dialer why it was refused, and it goes on trying', async () => {
    const cluster = await clusterOf(3, { limits: { refusedRetryMs: 50 } });
    await cluster.member(2).start();
    const member = cluster.member(1);
    const foreign = await createHost({
      platform: nodePlatform({ nodeName: 'foreign', logger: member.logger(), onFatal: () => undefined }),
      nodeId: 1 as NodeId,
      clusterId: 0xbadn,
      directory: member.directory,
      peers: cluster.addresses,
      listen: { host: '127.0.0.1', port: await freePort() },
      config: cluster.config,
    });
    cleanups.push(() => foreign.close());
    await until('the refusal', () => logged(member, 'FLOTILLA_PEER_CLUSTER_MISMATCH'));
    await until('another attempt', () => foreign.metrics.handshakesRefused > 2);
    const complaints = member.lines.filter(
      (line) => line.message === 'peer refused' && line.fields['peer'] === 2,
    );
    expect(complaints).toHaveLength(1);
  });
});

describe('bytes that are wrong', () => {
  it('in a forwarded change of members are refused, and stop nobody', async () => {
    const cluster = await clusterOf(2);
    const member = cluster.member(2);
    cluster.initialConfigurationOf = () => configurationOf([member.id]);
    await member.start();
    const leader = await cluster.leader();
    const stranger = await Stranger.dial(cluster, member);
    stranger.hello();
    await stranger.heard('welcome');
    const writer = new ByteWriter();
    encodeRaftMessage(writer, 0, {
      type: 'propose',
      from: 1 as NodeId,
      to: member.id,
      term: leader.running.status().term,
      kind: 'membership',
      payloads: [Uint8Array.of(9)],
    });
    stranger.batch(writer.take());
    const refused = (): unknown[] => {
      const reasons: unknown[] = [];
      for (const { kind, body } of stranger.frames) {
        if (kind !== 'batch') continue;
        decodeBatch(body, member.id, 1 as NodeId, (message) => {
          if (message.type === 'propose-refused') reasons.push(message.reason);
        });
      }
      return reasons;
    };
    await until('a refusal', () => refused().length > 0 || member.fatal.length > 0);
    expect(refused()).toEqual(['invalid-change']);
    await member.running.propose(appendCommand(1), { timeoutMs });
  });

  async function attacked(attack: (stranger: Stranger) => Promise<void> | void, code: string): Promise<void> {
    const cluster = await clusterOf(3);
    await cluster.start();
    const victim = await cluster.leader();
    const before = await victim.running.propose(appendCommand(1), { timeoutMs });
    const stranger = await Stranger.dial(cluster, victim);
    await attack(stranger);
    await until('the end', () => stranger.closed);
    expect(logged(victim, code)).toBe(true);
    const after = await victim.running.propose(appendCommand(2), { timeoutMs });
    expect([before.count, after.count]).toEqual([1, 2]);
    expect((await cluster.leader()).id).toBe(victim.id);
    expect(victim.host?.status().failure).toBeNull();
  }

  it('from a stranger hurt nobody', () =>
    attacked(
      (stranger) => stranger.send(new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n')),
      'FLOTILLA_PEER_NOT_A_PEER',
    ));

  it('in a damaged frame hurt nobody', () =>
    attacked((stranger) => {
      stranger.send(preface);
      stranger.send(Uint8Array.of(0, 0, 0, 1, 9, 9, 9, 9, 1, 0, 0, 0, 5));
    }, 'FLOTILLA_PEER_CHECKSUM'));

  it('in an enormous frame hurt nobody', () =>
    attacked((stranger) => {
      stranger.send(preface);
      stranger.send(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 0, 0, 0));
    }, 'FLOTILLA_PEER_FRAME_TOO_LARGE'));

  it('before the handshake hurt nobody', () =>
    attacked((stranger) => {
      stranger.send(preface);
      stranger.batch(Uint8Array.of(1, 2, 3));
    }, 'FLOTILLA_PEER_MALFORMED'));

  it('from a peer close its connection, and leave the others alone', async () => {
    const cluster = await clusterOf(3);
    await cluster.member(2).start();
    await cluster.member(3).start();
    await cluster.leader();
    const stranger = await Stranger.dial(cluster, cluster.member(2));
    stranger.hello();
    await stranger.heard('welcome');
    stranger.batch(Uint8Array.of(250, 1, 2, 3));
    await until('the end', () => stranger.closed);
    expect(logged(cluster.member(2), 'FLOTILLA_PEER_MALFORMED')).toBe(true);
    const result = await cluster.member(2).running.propose(appendCommand(1), { timeoutMs });
    expect(result.count).toBe(1);
  });
});

describe('a host', () => {
  it('says which address is taken', async () => {
    const cluster = await clusterOf(1);
    await cluster.start();
    const other = await clusterOf(1);
    const address = cluster.addresses.get(1 as NodeId);
    const attempt = createHost({
      platform: nodePlatform({ nodeName: 'n2', logger: other.member(1).logger(), onFatal: () => undefined }),
      nodeId: 1 as NodeId,
      clusterId: other.clusterId,
      directory: other.member(1).directory,
      peers: cluster.addresses,
      listen: address ?? { host: '', port: 0 },
    });
    await expect(attempt).rejects.toMatchObject({ code: 'FLOTILLA_ADDRESS_IN_USE' });
    // It has let go of the log: the same directory opens again.
    await other.start();
  });

  it('refuses a directory that another host has open', async () => {
    const cluster = await clusterOf(1);
    await cluster.start();
    const member = cluster.member(1);
    const attempt = createHost({
      platform: nodePlatform({ nodeName: 'n2', logger: member.logger(), onFatal: () => undefined }),
      nodeId: 1 as NodeId,
      clusterId: cluster.clusterId,
      directory: member.directory,
      peers: cluster.addresses,
      listen: { host: '127.0.0.1', port: 0 },
    });
    await expect(attempt).rejects.toMatchObject({ code: 'FLOTILLA_DISK_LOCKED' });
  });

  it('counts its lives', async () => {
    const cluster = await clusterOf(1);
    const member = cluster.member(1);
    const lives: (number | undefined)[] = [];
    for (let life = 0; life < 3; life += 1) {
      await member.start();
      lives.push(Math.floor((member.host?.incarnation ?? 0) / 2 ** 32));
      await member.stop();
    }
    expect(lives).toEqual([1, 2, 3]);
  });

  it('rejects what is pending when it is closed, and everything after', async () => {
    const cluster = await clusterOf(3);
    const member = cluster.member(1);
    await member.start();
    const { running } = member;
    const host = member.host as Host;
    const pending = [running.propose(appendCommand(1), { timeoutMs }), running.readBarrier({ timeoutMs })];
    const settled = Promise.allSettled(pending);
    await Promise.all([host.close(), host.close()]);
    for (const result of await settled) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'FLOTILLA_STOPPED' } });
    }
    await expect(running.propose(appendCommand(2), { timeoutMs })).rejects.toMatchObject({
      code: 'FLOTILLA_STOPPED',
    });
    await expect(running.readBarrier({ timeoutMs })).rejects.toMatchObject({ code: 'FLOTILLA_STOPPED' });
    expect(running.status().failure).not.toBeNull();
    await expect(
      host.openGroup({
        id: 1,
        stateMachine: member.machine,
        initialConfiguration: running.status().configuration,
      }),
    ).rejects.toMatchObject({ code: 'FLOTILLA_STOPPED' });
  });

  it('stops for good when the state machine throws, and answers nothing', async () => {
    const cluster = await clusterOf(1);
    await cluster.start();
    const member = cluster.member(1);
    await member.running.propose(appendCommand(1), { timeoutMs });
    member.machine.apply = () => {
      throw new Error('cannot go on');
    };
    await expect(member.running.propose(appendCommand(2), { timeoutMs })).rejects.toMatchObject({
      code: 'FLOTILLA_STOPPED',
    });
    expect(member.fatal.map((error) => error.message)).toEqual(['cannot go on']);
    expect(member.host?.status().failure).toBe('cannot go on');
    await expect(member.running.readBarrier({ timeoutMs })).rejects.toMatchObject({
      code: 'FLOTILLA_STOPPED',
    });
  });

  it('says that no leader is known when a quorum is missing, and that nothing was proposed', async () => {
    const cluster = await clusterOf(3);
    await cluster.member(1).start();
    const { running } = cluster.member(1);
    await expect(running.propose(appendCommand(1), { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'FLOTILLA_NO_LEADER',
    });
    await expect(running.readBarrier({ timeoutMs: 100 })).rejects.toMatchObject({
      code: 'FLOTILLA_NO_LEADER',
    });
  });

  it('opens a group once', async () => {
    const cluster = await clusterOf(1);
    await cluster.start();
    const member = cluster.member(1);
    await expect(
      member.host?.openGroup({
        id: 0,
        stateMachine: member.machine,
        initialConfiguration: member.running.status().configuration,
      }),
    ).rejects.toMatchObject({ code: 'FLOTILLA_GROUP_EXISTS' });
  });

  it.each([
    ['heartbeatMs', { heartbeatMs: 0 }],
    ['electionMs', { heartbeatMs: 100, electionMs: 499 }],
    ['snapshotCount', { snapshotCount: 0 }],
    ['maxMessageBytes', { coreLimits: { maxMessageBytes: 2, maxUncommittedBytes: 1 } }],
    ['frameBytes', { limits: { frameBytes: 1000 } }],
  ])('refuses a configuration whose %s makes no sense', async (setting, config) => {
    const cluster = await clusterOf(1, config);
    await expect(cluster.start()).rejects.toMatchObject({
      code: 'FLOTILLA_CONFIG_INVALID',
      message: expect.stringContaining(setting) as unknown,
    });
  });
});
