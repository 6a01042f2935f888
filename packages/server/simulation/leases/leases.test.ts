import { explore } from '@flotilla/sim';
import { expect, test } from 'vitest';
import { LeaseLab } from './lease-lab.ts';
import { leasesScenario } from './leases.ts';

test('under faults no lease dies early, and each goes in one revision when its time is over', async () => {
  const { finding, coverage } = await explore({ scenario: leasesScenario, from: 1, seeds: 2 });
  expect(finding?.result.violation ?? null).toBeNull();
  expect(coverage.get('lease expired')).toBeGreaterThan(3);
  expect(coverage.get('lease renewed')).toBeGreaterThan(20);
});

// The bugs that etcd shipped, and what its users asked for.

test('etcd #15247: a leader that was paused revokes nothing that was kept alive through its successor', () =>
  LeaseLab.run({}, (lab) => {
    lab.grant(7n, 4);
    const paused = lab.leader;
    const others = lab.nodes.map((_, i) => i).filter((i) => i !== paused);
    const stop = lab.keep(7n, 1_000, () => others[0] as number);
    lab.pass(1_500);
    lab.nodes[paused]?.pause();
    lab.pass(20_000);
    expect(lab.leader).not.toBe(paused);
    lab.nodes[paused]?.resume();
    lab.pass(5_000);
    expect(lab.isAlive(7n)).toBe(true);
    stop();
    lab.pass(3_000);
    expect(lab.isAlive(7n)).toBe(true);
    lab.pass(4_000);
    expect(lab.isAlive(7n)).toBe(false);
  }));

test('etcd #9395: elections do not begin the time of a lease anew', () =>
  LeaseLab.run({}, (lab) => {
    lab.grant(7n, 30);
    const begunMs = lab.world.now;
    for (let election = 0; election < 4; election += 1) {
      lab.pass(6_000);
      const { leader } = lab;
      lab.nodes[leader]?.crash();
      lab.until(5_000, () => lab.leader >= 0 && lab.leader !== leader);
      lab.nodes[leader]?.start();
    }
    lab.pass(begunMs + 29_500 - lab.world.now);
    expect(lab.isAlive(7n)).toBe(true);
    // Time without a leader does not count, and there was some.
    lab.pass(9_000);
    expect(lab.isAlive(7n)).toBe(false);
  }));

test('when every member starts again, a long lease has what was left at its last checkpoint', () =>
  LeaseLab.run({ electionMs: 5_000 }, (lab) => {
    lab.grant(7n, 1_000);
    lab.pass(700_000);
    for (const node of lab.nodes) node.crash();
    for (const node of lab.nodes) node.start();
    lab.until(30_000, () => lab.leader >= 0);
    lab.pass(295_000);
    expect(lab.isAlive(7n)).toBe(true);
    // It was written down at 600 s: 400 s were left.
    lab.pass(85_000);
    expect(lab.isAlive(7n)).toBe(true);
    lab.pass(50_000);
    expect(lab.isAlive(7n)).toBe(false);
  }));

test('while there is no leader, no time passes for a client that goes on trying', () =>
  LeaseLab.run({}, (lab) => {
    lab.grant(7n, 3);
    const stop = lab.keep(7n, 500, () => lab.follower);
    lab.pass(1_000);
    const away = lab.nodes.filter((_, i) => i !== lab.follower);
    for (const node of away) node.pause();
    lab.pass(30_000);
    for (const node of away) node.resume();
    lab.until(10_000, () => lab.leader >= 0);
    lab.pass(5_000);
    expect(lab.isAlive(7n)).toBe(true);
    stop();
    lab.pass(6_000);
    expect(lab.isAlive(7n)).toBe(false);
  }));

test('a member that stood still first hears its clients, and then looks at its clock', () =>
  LeaseLab.run({ members: 1 }, (lab) => {
    lab.grant(7n, 3);
    const stop = lab.keep(7n, 500, () => 0);
    lab.pass(1_000);
    lab.nodes[0]?.pause();
    lab.pass(20_000);
    lab.nodes[0]?.resume();
    lab.pass(5_000);
    expect(lab.isAlive(7n)).toBe(true);
    stop();
    lab.pass(5_500);
    expect(lab.isAlive(7n)).toBe(false);
  }));

test('a member that has started again answers what the leader has left of a lease, if it leads or not', () =>
  LeaseLab.run({}, (lab) => {
    lab.grant(7n, 100);
    const { follower } = lab;
    lab.pass(40_000);
    lab.nodes[follower]?.crash();
    lab.nodes[follower]?.start();
    lab.pass(2_000);
    for (const member of [follower, lab.leader]) {
      expect(lab.timeToLive(member, 7n)).toBeGreaterThanOrEqual(56);
      expect(lab.timeToLive(member, 7n)).toBeLessThanOrEqual(58);
    }
  }));
