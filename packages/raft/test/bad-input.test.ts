import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FlotillaError } from '@flotilla/platform';
import type { Connection } from '@flotilla/platform';
import { openLog, tcp, tls } from '@flotilla/raft';
import type { Credentials, LogOpener, NodeId, TransportFactory, WriteAheadLog } from '@flotilla/raft';
import { appendCommand } from '../simulation/host-machine.ts';
import { TestCluster, until } from './host-cluster.ts';
import type { TestMember } from './host-cluster.ts';

/*
 * Whatever comes from outside, a member answers with a clear error, loses no entry and elects no second leader.
 *
 * here                       frames damaged on their way between members; certificates of others, of another authority,
 *                            expired; state machines that throw; disks that fail and stall
 * host-peers.test.ts         strangers, garbage, enormous frames, other clusters, other protocol versions, unknown,
 *                            doubled and mistaken ids, members that come back without their data
 * src/log/damage.test.ts     files of the log: every flipped bit, torn tails, foreign and newer logs
 * host-snapshots.test.ts     snapshots that arrive damaged or in part, state machines that cannot make one
 */

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

function hasLogged(member: TestMember, code: string): boolean {
  return member.lines.some((line) => line.fields['code'] === code);
}

/** What clients know, and who led when. */
class Witness {
  readonly #cluster: TestCluster;
  readonly #acknowledged: number[] = [];
  readonly #leaders = new Map<number, NodeId>();
  readonly #usurpers: string[] = [];
  #next = 1;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    for (const member of cluster.live) this.watch(member);
  }

  /** Each life of a member is watched from its start. */
  watch({ id, running }: TestMember): void {
    running.onRoleChange(({ role, term }) => {
      if (role !== 'leader') return;
      const other = this.#leaders.get(term);
      if (other !== undefined && other !== id) this.#usurpers.push(`${other} and ${id} led in term ${term}`);
      this.#leaders.set(term, id);
    });
  }

  /** Proposes at a member until one proposal is acknowledged. */
  async append(at: TestMember): Promise<void> {
    for (;;) {
      const value = this.#next;
      this.#next += 1;
      try {
        await at.running.propose(appendCommand(value), { timeoutMs: 1000 });
        this.#acknowledged.push(value);
        return;
      } catch (error) {
        // Lost its leader, or its answer: tried again under another number, for it may have taken effect.
        if (!(error instanceof FlotillaError) || error.code === 'FLOTILLA_STOPPED') throw error;
      }
    }
  }

  async verify(): Promise<void> {
    await this.#cluster.converged();
    expect(this.#usurpers).toEqual([]);
    for (const { machine } of this.#cluster.live) {
      expect(new Set(machine.values).size).toBe(machine.values.length);
      expect(this.#acknowledged.filter((value) => !machine.values.includes(value))).toEqual([]);
    }
  }
}

type Damage = (bytes: Uint8Array) => readonly Uint8Array[];

/** TCP on which, while it is `on`, every few writes are damaged. */
function tampering(damage: Damage, on: () => boolean): TransportFactory {
  let writes = 0;
  const tamper = (connection: Connection): Connection => {
    let held: Uint8Array | null = null;
    return {
      remote: connection.remote,
      identity: null,
      protocol: null,
      get bufferedBytes() {
        return connection.bufferedBytes;
      },
      start: (handler) => connection.start(handler),
      pause: () => connection.pause(),
      resume: () => connection.resume(),
      close: () => connection.close(),
      destroy: () => connection.destroy(),
      write: (bytes) => {
        writes += 1;
        if (on() && damage === reordered) {
          // This write leaves after the next one.
          const before = held;
          held = bytes;
          if (before === null || writes % 2 === 0) return before === null || connection.write(before);
          held = null;
          connection.write(bytes);
          return connection.write(before);
        }
        if (held !== null) connection.write(held);
        held = null;
        if (!on() || writes % 9 !== 0) return connection.write(bytes);
        return damage(bytes).every((part) => connection.write(part));
      },
    };
  };
  return (platform) => {
    const sound = tcp()(platform);
    return {
      listen: (address, accept) => sound.listen(address, (connection) => accept(tamper(connection))),
      connect: async (address, options) => tamper(await sound.connect(address, options)),
    };
  };
}

const reordered: Damage = (bytes) => [bytes];

const damages: readonly (readonly [string, Damage, readonly string[]])[] = [
  [
    'with a flipped bit',
    (bytes) => [bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 0x04 : byte))],
    ['FLOTILLA_PEER_CHECKSUM', 'FLOTILLA_PEER_FRAME_TOO_LARGE', 'FLOTILLA_PEER_NOT_A_PEER'],
  ],
  [
    'cut short',
    (bytes) => [bytes.subarray(0, bytes.length - 3)],
    ['FLOTILLA_PEER_CHECKSUM', 'FLOTILLA_PEER_FRAME_TOO_LARGE', 'FLOTILLA_PEER_NOT_A_PEER'],
  ],
  [
    'with an enormous one before them',
    (bytes) => [Uint8Array.of(0xff, 0xff, 0xff, 0xf0, 1, 2, 3, 4, 4, 0, 0, 0), bytes],
    ['FLOTILLA_PEER_FRAME_TOO_LARGE', 'FLOTILLA_PEER_NOT_A_PEER'],
  ],
  ['in another order', reordered, []],
];

describe('frames between members', () => {
  it.each(damages)('that arrive %s lose nothing and elect nobody twice', async (_, damage, codes) => {
    const cluster = await clusterOf(3);
    let on = true;
    cluster.optionsOf = (id) => (id === 1 ? { transport: tampering(damage, () => on) } : {});
    await cluster.start();
    const witness = new Witness(cluster);
    for (let round = 0; round < 30; round += 1) {
      await witness.append(cluster.member(2));
      if (round % 3 === 0) await witness.append(cluster.member(3));
    }
    // Heartbeats alone are enough for the damage to be noticed.
    if (codes.length > 0) {
      await until('the damage to be noticed', () =>
        cluster.live.some((member) => codes.some((code) => hasLogged(member, code))),
      );
    }
    on = false;
    await witness.append(cluster.member(1));
    await witness.verify();
    expect(cluster.live.map(({ fatal }) => fatal)).toEqual([[], [], []]);
  });
});

function credentials(name: string): Credentials {
  const read = (file: string): string =>
    readFileSync(new URL(`certificates/${file}.pem`, import.meta.url), 'utf8');
  return { certificate: read(name), key: read(`${name}-key`), ca: read('ca') };
}

describe('members over TLS', () => {
  it('know each other by their certificates, and work as over TCP', async () => {
    const cluster = await clusterOf(3);
    cluster.optionsOf = (id) => ({ transport: tls(credentials(`member-${id}`)) });
    await cluster.start();
    const witness = new Witness(cluster);
    for (const member of cluster.live) await witness.append(member);
    await witness.verify();
    expect(cluster.live.every(({ host }) => host?.status().peers.every(({ alive }) => alive))).toBe(true);
  });

  it.each([
    // Member 1 dials the others: they refuse it by name. Member 3 is dialed: who dials it turns away.
    [1, 'member-2', 'FLOTILLA_PEER_CERTIFICATE'],
    [3, 'member-2', 'FLOTILLA_PEER_CERTIFICATE'],
    [3, 'foreign-member-1', 'FLOTILLA_TLS_UNTRUSTED'],
    [3, 'expired-member-1', 'FLOTILLA_TLS_UNTRUSTED'],
  ])('keep out member %d with the certificate of %s', async (impostor, certificate, code) => {
    const cluster = await clusterOf(3);
    cluster.optionsOf = (id) => ({
      transport: tls(credentials(id === impostor ? certificate : `member-${id}`)),
    });
    await cluster.start();
    const honest = cluster.live.filter(({ id }) => id !== impostor);
    const witness = new Witness(cluster);
    for (const member of honest) await witness.append(member);
    await until('the refusal', () => cluster.live.some((member) => hasLogged(member, code)));
    const { host, running } = cluster.member(impostor);
    expect(host?.status().peers.filter(({ alive }) => alive)).toEqual([]);
    expect(running.status().leader).toBe(0);
    await cluster.member(impostor).stop();
    cluster.optionsOf = (id) => ({ transport: tls(credentials(`member-${id}`)) });
    await cluster.member(impostor).start();
    await witness.append(cluster.member(impostor));
    await witness.verify();
  });

  it('use a renewed certificate without a restart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'flotilla-certificates-'));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    const put = (name: string): void => {
      for (const [from, to] of [
        [name, 'own'],
        [`${name}-key`, 'own-key'],
        ['ca', 'ca'],
      ]) {
        copyFileSync(new URL(`certificates/${from}.pem`, import.meta.url), `${folder}/${to}.pem`);
      }
    };
    put('foreign-member-1');
    const files = {
      certificateFile: `${folder}/own.pem`,
      keyFile: `${folder}/own-key.pem`,
      caFile: `${folder}/ca.pem`,
      certificateCheckMs: 20,
    };
    const cluster = await clusterOf(3, { limits: { refusedRetryMs: 50 } });
    // The highest id is dialed by everybody: its listener has to show the new certificate.
    cluster.optionsOf = (id) => ({ transport: tls(id === 3 ? files : credentials(`member-${id}`)) });
    await cluster.start();
    await until('the refusal', () => hasLogged(cluster.member(1), 'FLOTILLA_TLS_UNTRUSTED'));
    put('member-3');
    await until(
      'peace',
      () =>
        cluster
          .member(3)
          .host?.status()
          .peers.every(({ alive }) => alive) === true,
    );
    const witness = new Witness(cluster);
    await witness.append(cluster.member(3));
    await witness.verify();
  });

  it('say at once that their own certificate cannot be used', async () => {
    const cluster = await clusterOf(1);
    cluster.optionsOf = () => ({ transport: tls({ ...credentials('member-1'), key: 'none' }) });
    await expect(cluster.start()).rejects.toMatchObject({ code: 'FLOTILLA_TLS_INVALID' });
  });
});

describe('a state machine that throws', () => {
  /** The member stops with the machine's own words, the others go on, and it is one of them again after a restart. */
  async function survives(breakIt: (leader: TestMember) => Promise<void> | void): Promise<void> {
    const cluster = await clusterOf(3, { snapshotCount: 20, tailEntries: 5 });
    await cluster.start();
    const witness = new Witness(cluster);
    const broken = await cluster.leader();
    await witness.append(broken);
    await breakIt(broken);
    await expect(broken.running.propose(appendCommand(999), { timeoutMs })).rejects.toMatchObject({
      code: 'FLOTILLA_STOPPED',
    });
    await until('the member to stop', () => broken.fatal.length > 0);
    expect(broken.fatal.map(({ message }) => message)).toEqual(['the machine is broken']);
    expect(broken.host?.status().failure).toBe('the machine is broken');
    await broken.stop();
    const [next] = cluster.live;
    if (next === undefined) throw new Error('nobody is left');
    await witness.append(next);
    await broken.start();
    witness.watch(broken);
    await witness.append(broken);
    await witness.verify();
  }

  const broken = (): never => {
    throw new Error('the machine is broken');
  };

  it('in apply stops its member and nobody else', () =>
    survives(({ machine }) => {
      machine.apply = broken;
    }));

  it('while it takes in a snapshot stops its member, which asks again in its next life', async () => {
    const cluster = await clusterOf(3, { snapshotCount: 10, tailEntries: 1, laggingEntries: 1 });
    await cluster.start();
    const witness = new Witness(cluster);
    const behind = await cluster.follower();
    await behind.stop();
    const [one] = cluster.live;
    if (one === undefined) throw new Error('nobody is left');
    for (let count = 0; count < 60; count += 1) await witness.append(one);
    await until('the log to be compacted', () =>
      cluster.live.every(({ host }) => (host?.metrics.compactions ?? 0) > 0),
    );
    behind.sabotage = (machine) => {
      machine.install = () => Promise.reject(new Error('the machine is broken'));
    };
    await behind.start();
    await until('the member to stop', () => behind.fatal.length > 0);
    expect(behind.fatal[0]?.message).toContain('the machine is broken');
    await witness.append(one);
    behind.sabotage = () => undefined;
    await behind.stop();
    await behind.start();
    witness.watch(behind);
    await witness.append(behind);
    await witness.verify();
  });
});

/** The real log, whose appends fail or wait from a moment on. */
function sickLog(disk: { state: 'well' | 'failed' | 'stalled' }): LogOpener {
  return async (platform, options) => {
    const opened = await openLog(platform, options);
    const sound = opened.log;
    const listeners: ((error: Error) => void)[] = [];
    let gate = Promise.resolve();
    const log: WriteAheadLog = {
      append: async (records) => {
        if (disk.state === 'failed') {
          const error = new FlotillaError('FLOTILLA_LOG_FAILED', 'the disk is sick');
          for (const listener of listeners) listener(error);
          throw error;
        }
        // In the order of the calls, as a disk that goes on would.
        gate = gate.then(() => whileStalled(disk));
        await gate;
        await sound.append(records);
      },
      read: (...call) => sound.read(...call),
      compact: (...call) => sound.compact(...call),
      stats: () => sound.stats(),
      pinning: () => sound.pinning(),
      onFailure: (listener) => {
        listeners.push(listener);
        sound.onFailure(listener);
      },
      close: () => sound.close(),
    };
    return { log, groups: opened.groups };
  };
}

async function whileStalled(disk: { readonly state: string }): Promise<void> {
  while (disk.state === 'stalled') await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('a disk', () => {
  async function sickened(
    state: 'failed' | 'stalled',
    check: (sick: TestMember, witness: Witness, disk: Parameters<typeof sickLog>[0]) => Promise<void>,
  ): Promise<void> {
    const cluster = await clusterOf(3);
    const disks = new Map<NodeId, Parameters<typeof sickLog>[0]>();
    cluster.optionsOf = (id) => {
      const disk = { state: 'well' } as const;
      disks.set(id, { ...disk });
      return { openLog: sickLog(disks.get(id) ?? disk) };
    };
    await cluster.start();
    const witness = new Witness(cluster);
    const sick = await cluster.leader();
    await witness.append(sick);
    const disk = disks.get(sick.id);
    if (disk === undefined) throw new Error('no disk');
    disk.state = state;
    const others = cluster.live.filter((member) => member !== sick);
    // Its disk is asked for something, or nobody would know.
    const asked = sick.running.propose(appendCommand(9999), { timeoutMs: 100 }).catch(() => undefined);
    await until('another leader', () =>
      others.some(({ id, running }) => running.status().role === 'leader' && id !== sick.id),
    );
    for (const other of others) await witness.append(other);
    await asked;
    await check(sick, witness, disk);
    await witness.verify();
  }

  it('that fails stops its member with its own code; the others go on', () =>
    sickened('failed', async (sick, witness, disk) => {
      expect(sick.fatal[0]).toMatchObject({ code: 'FLOTILLA_LOG_FAILED' });
      await expect(sick.running.propose(appendCommand(1), { timeoutMs })).rejects.toMatchObject({
        code: 'FLOTILLA_STOPPED',
      });
      await sick.stop();
      disk.state = 'well';
      await sick.start();
      witness.watch(sick);
      await witness.append(sick);
    }));

  it('that stalls takes its member out of office, and it follows again when the disk goes on', () =>
    sickened('stalled', async (sick, witness, disk) => {
      expect(sick.fatal).toEqual([]);
      expect(sick.running.status().role).not.toBe('leader');
      disk.state = 'well';
      await witness.append(sick);
    }));
});
