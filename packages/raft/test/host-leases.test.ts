import { expect, it } from 'vitest';
import type { HostConfig } from '../src/host/config.ts';
import { SimulatedHosts } from './simulated-hosts.ts';
import type { SimulatedHost } from './simulated-hosts.ts';

const electionMs = 500;
const heartbeatMs = 50;
const leases = { heartbeatMs, electionMs, leases: true };

/** How many of so many reads were answered within no time at all. */
function readAtOnce(hosts: SimulatedHosts, member: SimulatedHost, count: number): number {
  let answered = 0;
  hosts.world.after(
    0,
    () => {
      for (let left = count; left > 0; left -= 1) {
        const answer = member.group.readBarrier({ timeoutMs: 5_000, policy: 'lease' });
        answer.then(
          () => (answered += 1),
          () => undefined,
        );
      }
    },
    member.node.life,
  );
  hosts.sleep(0.01);
  return answered;
}

function settle(hosts: SimulatedHosts): SimulatedHost {
  hosts.append(hosts.leader, 1);
  hosts.sleep(3 * heartbeatMs);
  return hosts.leader;
}

it('a leader with a lease answers reads without a message', () =>
  SimulatedHosts.run({ config: leases }, (hosts) => {
    const leader = settle(hosts);
    const before = leader.host.metrics.readRounds;
    expect(readAtOnce(hosts, leader, 100)).toBe(100);
    expect(leader.host.metrics).toMatchObject({ leaseReads: 100, readRounds: before });
  }));

it('anybody else, and everybody without leases, asks a quorum', async () => {
  await SimulatedHosts.run({ config: leases }, (hosts) => {
    settle(hosts);
    const [follower] = hosts.followers;
    expect(readAtOnce(hosts, follower, 10)).toBe(0);
    hosts.until('a round', () => follower.host.metrics.readRounds > 0);
    expect(follower.host.metrics.leaseReads).toBe(0);
  });
  await SimulatedHosts.run({ config: { ...leases, leases: false } }, (hosts) => {
    const leader = settle(hosts);
    expect(readAtOnce(hosts, leader, 10)).toBe(0);
    expect(leader.host.metrics).toMatchObject({ leaseReads: 0, readRounds: 1 });
  });
});

it('a leader that is cut off answers for less than an election time-out, and then no more', () =>
  SimulatedHosts.run({ config: leases }, (hosts) => {
    const leader = settle(hosts);
    hosts.cutOff(leader);
    expect(readAtOnce(hosts, leader, 1)).toBe(1);
    hosts.sleep(electionMs * 0.9);
    expect(readAtOnce(hosts, leader, 1)).toBe(0);
  }));

it('nobody is elected before an election time-out after the leader was heard, though its connections broke', () =>
  SimulatedHosts.run({ config: leases }, (hosts) => {
    const leader = settle(hosts);
    const others = hosts.followers;
    const crashedMs = hosts.world.now;
    leader.node.crash();
    hosts.until('another leader', () => others.some(({ group }) => group.status().role === 'leader'));
    expect(hosts.world.now - crashedMs).toBeGreaterThan(electionMs - 2 * heartbeatMs);
  }));

it('a leader that hands over has no lease before its successor leads', () =>
  SimulatedHosts.run({ config: leases }, (hosts) => {
    const leader = settle(hosts);
    const [successor] = hosts.followers;
    const hand = (): void => {
      leader.group.transferLeadership(successor.id, { timeoutMs: 1_000 }).catch(() => undefined);
    };
    hosts.world.after(0, hand, leader.node.life);
    hosts.sleep(0.01);
    expect(readAtOnce(hosts, leader, 1)).toBe(0);
    hosts.until('the successor', () => successor.group.status().role === 'leader');
    settle(hosts);
    expect(readAtOnce(hosts, successor, 1)).toBe(1);
  }));

it('nobody may forget its leader', () =>
  SimulatedHosts.run({ config: leases }, (hosts) => {
    settle(hosts);
    const [follower] = hosts.followers;
    expect(() => follower.group.forgetLeader()).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_LEASE_PROMISED' }),
    );
  }));

/** A promise is for as long as the life that made it said; the next ones may be configured otherwise. */
it.each<[string, HostConfig]>([
  ['with a shorter election time-out', { electionMs: 5 * heartbeatMs }],
  ['without leases', { electionMs: 5 * heartbeatMs, leases: false }],
])('members that are started anew %s keep what they have promised before', (_, next) => {
  const longMs = 4 * electionMs;
  let config: HostConfig = { ...leases, electionMs: longMs };
  return SimulatedHosts.run({ configOf: () => config }, (hosts) => {
    const leader = settle(hosts);
    const others = hosts.followers;
    expect(readAtOnce(hosts, leader, 1)).toBe(1);
    const cutMs = hosts.world.now;
    hosts.cutOff(leader);
    config = { ...leases, ...next };
    for (const twice of [1, 2]) {
      for (const { node } of others) {
        node.crash();
        node.start();
      }
      hosts.sleep(twice * heartbeatMs);
    }
    const elected = (): boolean =>
      others.some(({ node, group }) => node.running && group.status().role === 'leader');
    hosts.until('another leader', elected);
    expect(hosts.world.now - cutMs).toBeGreaterThan(longMs - 2 * heartbeatMs);
  });
});
