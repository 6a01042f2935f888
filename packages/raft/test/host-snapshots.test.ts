import { FlotillaError } from '@flotilla/platform';
import { expect, it } from 'vitest';
import { ListMachine } from '../simulation/host-machine.ts';
import type { SnapshotMeta } from '../src/core/types.ts';
import type { SnapshotSink, SnapshotSource } from '../src/host/types.ts';
import { SimulatedHosts, valuesPerChunk } from './simulated-hosts.ts';
import type { SimulatedHost } from './simulated-hosts.ts';

const chunkBytes = valuesPerChunk * 4;
const limits = { snapshotChunkBytes: chunkBytes };
/** A hundred chunks take ten seconds. */
const throttle = { limits, snapshotBytesPerSecond: 10 * chunkBytes };
const values = 100 * valuesPerChunk;

/** Waits until part of a snapshot is at `receiver`. */
function untilPartlyIn(hosts: SimulatedHosts, receiver: SimulatedHost, chunks: number): void {
  hosts.until('a part of a snapshot', () => receiver.host.metrics.snapshotChunksReceived >= chunks);
}

it('a throttle bounds what all snapshots of a member take together', () =>
  SimulatedHosts.run({ config: throttle }, (hosts) => {
    const { leader } = hosts;
    const [behind] = hosts.followers;
    hosts.leaveBehind(behind, values);
    const began = hosts.world.now;
    hosts.converge();
    const { snapshotBytesSent, snapshotThrottleWaits, snapshotThrottleMs } = leader.host.metrics;
    expect(snapshotBytesSent).toBe(values * 4);
    const seconds = (hosts.world.now - began) / 1000;
    expect(snapshotBytesSent / seconds).toBeLessThanOrEqual(throttle.snapshotBytesPerSecond * 1.02);
    expect(snapshotThrottleWaits).toBeGreaterThan(90);
    expect(snapshotThrottleMs).toBeGreaterThan(9_000);
  }));

it('the state machine goes on applying thousands of entries while its snapshot leaves', () =>
  SimulatedHosts.run({ config: throttle }, (hosts) => {
    const { leader } = hosts;
    const [behind] = hosts.followers;
    hosts.leaveBehind(behind, values);
    untilPartlyIn(hosts, behind, 10);
    let answered = 0;
    hosts.appendSoon(leader, 3_000, () => (answered += 1));
    hosts.until('3000 answers', () => answered === 3_000);
    expect(leader.host.metrics.snapshotsSent).toBe(0);
    expect(behind.host.metrics.snapshotChunksReceived).toBeLessThan(90);
    hosts.converge();
    // What came meanwhile was in the log: one snapshot was enough.
    expect(leader.host.metrics.snapshotsSent).toBe(1);
  }));

it('a snapshot goes on from where it was after a cut', () =>
  SimulatedHosts.run({ config: throttle }, (hosts) => {
    const { leader } = hosts;
    const [behind] = hosts.followers;
    hosts.leaveBehind(behind, values);
    for (const chunks of [20, 50]) {
      untilPartlyIn(hosts, behind, chunks);
      hosts.cutOff(behind);
      hosts.sleep(3_000);
      hosts.heal();
    }
    hosts.converge();
    const sent = leader.host.metrics;
    const received = behind.host.metrics;
    expect(received).toMatchObject({ snapshotResumes: 2, snapshotRestarts: 0, snapshotsReceived: 1 });
    expect(received.snapshotChunksReceived).toBe(100);
    // Again left only what was in the window, twice.
    expect(sent.snapshotChunksSent).toBeLessThanOrEqual(100 + 2 * 8);
    expect(sent).toMatchObject({ snapshotResumes: 2, snapshotsSent: 1 });
  }));

it('a snapshot that a former leader has sent is enough for the next one, whose log goes on from there', () =>
  SimulatedHosts.run({ config: { ...throttle, tailEntries: 100 } }, (hosts) => {
    const { leader } = hosts;
    const [behind, heir] = hosts.followers;
    hosts.leaveBehind(behind, values);
    untilPartlyIn(hosts, behind, 20);
    const transfer = (): Promise<void> => leader.group.transferLeadership(heir.id, { timeoutMs: 1_000 });
    hosts.world.after(0, () => void transfer().catch(() => undefined), leader.node.life);
    hosts.until('another leader', () => hosts.findLeader() === heir);
    hosts.converge();
    hosts.append(heir, 10);
    hosts.converge();
    expect(behind.host.metrics.snapshotsReceived).toBe(1);
    expect(heir.host.metrics.snapshotsSent).toBe(0);
  }));

it('a snapshot begins again when its sender has not waited, and when its receiver starts anew', () =>
  SimulatedHosts.run({ config: { ...throttle, limits: { ...limits, snapshotResumeMs: 500 } } }, (hosts) => {
    const [behind] = hosts.followers;
    hosts.leaveBehind(behind, values);
    untilPartlyIn(hosts, behind, 20);
    hosts.cutOff(behind);
    hosts.sleep(3_000);
    hosts.heal();
    hosts.until('a second attempt', () => behind.host.metrics.snapshotRestarts === 1);
    untilPartlyIn(hosts, behind, 40);
    behind.node.crash();
    hosts.sleep(100);
    behind.node.start();
    hosts.converge();
    expect(behind.host.metrics).toMatchObject({ snapshotResumes: 0, snapshotsReceived: 1 });
  }));

it('a member that was sent damage twice asks another one', () => {
  let sick: SimulatedHost | null = null;
  const damagePerMille = (from: SimulatedHost): number => (from === sick ? 1000 : 0);
  return SimulatedHosts.run({ config: { limits }, damagePerMille }, (hosts) => {
    const { leader } = hosts;
    const [behind, other] = hosts.followers;
    sick = leader;
    hosts.leaveBehind(behind, values);
    hosts.converge();
    expect(behind.host.metrics).toMatchObject({ snapshotsDamaged: 2, snapshotsReceived: 1 });
    expect(leader.host.metrics.snapshotsSent).toBe(0);
    expect(other.host.metrics.snapshotsSent).toBe(1);
    // And it goes on from there with the log, without another one from the leader.
    hosts.append(leader, 10);
    hosts.converge();
    expect(behind.host.metrics.snapshotsReceived).toBe(1);
  });
});

/** Cannot be read, in one of the ways in which a store may fail. */
class SickMachine extends ListMachine {
  isSick = false;
  pinsFail = false;

  override snapshot(): SnapshotSource {
    if (this.isSick && this.pinsFail) throw new Error('no view of the state can be had');
    const source = super.snapshot();
    if (!this.isSick) return source;
    return {
      ...source,
      async *chunks() {
        let left = 3;
        for await (const chunk of source.chunks()) {
          if (left === 0) throw new Error('a page is damaged');
          left -= 1;
          yield chunk;
        }
      },
    };
  }
}

it.each([
  { what: 'fails in the middle', pinsFail: false },
  { what: 'cannot even be pinned', pinsFail: true },
])('a leader whose state $what hands its office over', ({ pinsFail }) => {
  const machine = (member: SimulatedHost): SickMachine =>
    new SickMachine(member.image, { chunkValues: valuesPerChunk });
  return SimulatedHosts.run({ config: { limits }, machine }, (hosts) => {
    const { leader } = hosts;
    const [behind, other] = hosts.followers;
    Object.assign(leader.machine, { isSick: true, pinsFail });
    hosts.leaveBehind(behind, values);
    hosts.until('another leader', () => other.group.status().role === 'leader');
    hosts.converge();
    expect(leader.host.metrics.snapshotsUnreadable).toBeGreaterThanOrEqual(3);
    expect(leader.host.status().failure).toBeNull();
    expect(other.host.metrics.snapshotsSent).toBe(1);
  });
});

/** Of an older version than the others, until it is upgraded. */
class OldMachine extends ListMachine {
  isOld = false;
  refusals = 0;

  override async install(meta: SnapshotMeta): Promise<SnapshotSink> {
    const sink = await super.install(meta);
    return {
      ...sink,
      write: async (chunk) => {
        if (!this.isOld) return sink.write(chunk);
        this.refusals += 1;
        throw new FlotillaError('FLOTILLA_SNAPSHOT_VERSION', 'the snapshot has format 2');
      },
    };
  }
}

it('a member that cannot read the snapshots of a newer version goes on, asks again ever more seldom, and takes one later', () => {
  const machine = (member: SimulatedHost): OldMachine =>
    new OldMachine(member.image, { chunkValues: valuesPerChunk });
  return SimulatedHosts.run({ config: { limits }, machine }, (hosts) => {
    const { leader } = hosts;
    const [behind, other] = hosts.followers;
    hosts.leaveBehind(behind, values);
    hosts.until(
      'its next life',
      () => (behind.group as unknown) !== null && behind.machine.values.length === 0,
    );
    const old = behind.machine as OldMachine;
    old.isOld = true;
    hosts.until('a refusal', () => old.refusals > 0);
    hosts.sleep(60_000);
    expect(behind.host.status().failure).toBeNull();
    // Two senders, with pauses of 2, 4, 8, 16 and 32 seconds.
    expect(old.refusals).toBeGreaterThan(2);
    expect(old.refusals).toBeLessThanOrEqual(12);
    // It votes: without it nobody could be elected now.
    leader.node.crash();
    hosts.until('another leader', () => other.group.status().role === 'leader');
    leader.node.start();
    old.isOld = false;
    hosts.converge();
  });
});

/** Has no room for another state until somebody else makes some. */
class CrowdedMachine extends ListMachine {
  hasRoom = false;
  refused = 0;

  override async install(meta: SnapshotMeta): Promise<SnapshotSink> {
    const sink = await super.install(meta);
    const write = (chunk: Uint8Array): Promise<void> => {
      if (this.hasRoom) return sink.write(chunk);
      this.refused += 1;
      return Promise.reject(new FlotillaError('FLOTILLA_SNAPSHOT_BUSY', 'there is no room'));
    };
    return { ...sink, write };
  }
}

/** Touches nothing of its state before there is room. */
class KeepingMachine extends CrowdedMachine {
  stateMissing = false;

  override async install(meta: SnapshotMeta): Promise<SnapshotSink> {
    let sink: SnapshotSink | null = null;
    const touched = async (): Promise<SnapshotSink> => {
      if (!this.hasRoom) {
        this.refused += 1;
        throw new FlotillaError('FLOTILLA_SNAPSHOT_BUSY', 'there is no room');
      }
      this.stateMissing = true;
      sink ??= await super.install(meta);
      return sink;
    };
    return Promise.resolve({
      write: async (chunk: Uint8Array) => (await touched()).write(chunk),
      finish: async () => {
        await (await touched()).finish();
        this.stateMissing = false;
      },
      abort: () => sink?.abort() ?? Promise.resolve(),
    });
  }
}

it('a state that a snapshot has found no room beside goes on', () =>
  SimulatedHosts.run(
    {
      config: { limits },
      machine: ({ image }) => new KeepingMachine(image, { chunkValues: valuesPerChunk }),
    },
    (hosts) => {
      const [behind] = hosts.followers;
      hosts.append(hosts.leader, 5);
      hosts.converge();
      hosts.leaveBehind(behind, values);
      const machine = (): KeepingMachine => behind.machine as KeepingMachine;
      for (const times of [1, 3]) {
        hosts.until('a refusal', () => machine().refused >= times);
        hosts.until('the state to go on', () => behind.group.status().stateReady);
        expect(behind.group.status().life).toBe('serving');
      }
      machine().hasRoom = true;
      hosts.converge();
      expect(behind.host.metrics.snapshotsReceived).toBe(1);
    },
  ));

it('a snapshot that there is no room for comes again, now and then, until there is', () =>
  SimulatedHosts.run(
    {
      config: { limits },
      machine: ({ image }) => new CrowdedMachine(image, { chunkValues: valuesPerChunk }),
    },
    (hosts) => {
      const [behind] = hosts.followers;
      hosts.leaveBehind(behind, values);
      const machine = (): CrowdedMachine => behind.machine as CrowdedMachine;
      hosts.until('a refusal', () => machine().refused > 0);
      hosts.sleep(10_000);
      expect(behind.host.metrics.snapshotsReceived).toBe(0);
      // It asks about once an election time-out, and the leader offers its own.
      expect(machine().refused).toBeGreaterThan(2);
      expect(machine().refused).toBeLessThan(60);
      machine().hasRoom = true;
      hosts.converge();
      expect(behind.host.metrics.snapshotsReceived).toBe(1);
    },
  ));
