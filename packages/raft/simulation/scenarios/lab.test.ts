import { describe, expect, it } from 'vitest';
import { scenarios } from './all.ts';
import type { Lab, LabOptions } from './lab.ts';
import type { HostsScenario, LabResult } from './lab-result.ts';
import { runLab } from './run-lab.ts';

/** The scenario with this number, where something is worse than it should be. */
function worse(number: string, options: Partial<LabOptions>): HostsScenario {
  const found = scenarios.find((scenario) => scenario.number === number);
  if (found === undefined || found.options === null) throw new Error(`no scenario ${number} of hosts`);
  return { ...found, options: { ...found.options, ...options } };
}

function script(members: number, play: (lab: Lab) => void): HostsScenario {
  return { number: 'by hand', title: '', options: { members }, play };
}

/** What a run that must fail said. */
async function complaint(scenario: HostsScenario, seed = 1): Promise<string> {
  const { violation }: LabResult = await runLab(scenario, seed);
  return violation === null ? 'it passed' : `${violation.name}: ${violation.message}`;
}

describe('thresholds trip', () => {
  it('an election that takes too long fails scenario 2', async () => {
    expect(await complaint(worse('2', { config: { heartbeatMs: 1_000, electionMs: 6_000 } }))).toMatch(
      /^threshold: leader/,
    );
  });

  it('more signs of life than ten a second fail scenario 4', async () => {
    expect(await complaint(worse('4', { config: { heartbeatMs: 50, electionMs: 1_000 } }))).toMatch(
      /messages of an idle second: 12\d messages, at most 60/,
    );
  });

  it('copies that cost too much fail scenario 8', async () => {
    expect(await complaint(worse('8', { members: 5 }))).toMatch(/bytes of 10 commands/);
  });

  it('chatter beside the commands fails scenario 16', async () => {
    const config = { heartbeatMs: 2, electionMs: 1_000 };
    const world = { delayMinMs: 20, delayMaxMs: 20 };
    expect(await complaint(worse('16', { config, world }))).toMatch(/requests of 12 commands/);
  });

  it('a log that is not compacted fails scenario 28', async () => {
    expect(await complaint(worse('28', { config: { snapshotCount: 1_000 } }))).toMatch(/log of a member/);
  });

  it('followers that are given snapshots without need fail scenario 28', async () => {
    const config = { snapshotCount: 1, tailEntries: 0, laggingEntries: 0 };
    const world = { spikePerMille: 200, spikeMaxMs: 300 };
    expect(await complaint(worse('28', { config, world }))).toMatch(/snapshots sent/);
  });

  it('a quorum that cannot talk fails the topologies', async () => {
    const found = worse('two leaves', {});
    const play = (lab: Lab): void => {
      // The links of the scenario, and then none at all.
      lab.world.after(3_000, () => lab.members.forEach((member) => lab.cut(member)));
      found.play(lab);
    };
    expect(await complaint({ ...found, play })).toMatch(/time without a committed write/);
  });

  it('disks that take seconds fail an agreement', async () => {
    expect(await complaint(worse('11', { world: { syncMinMs: 6_000, syncMaxMs: 9_000 } }))).toMatch(
      /no agreement of 3|leader/,
    );
  });
});

describe('the rules that are always checked', () => {
  it('two leaders in one term fail a run', async () => {
    const cheated = script(3, (lab) => {
      const leader = lab.boot();
      const group = {
        onRoleChange: (listener: (change: object) => void) =>
          listener({ role: 'leader', term: lab.termOf(leader) }),
      };
      lab.rules.watch(((leader.id % 3) + 1) as typeof leader.id, group as never);
      lab.sleep(1);
    });
    expect(await complaint(cheated)).toMatch(/^two-leaders/);
  });

  it('a member whose state is another fails a run', async () => {
    const cheated = script(3, (lab) => {
      const leader = lab.boot();
      lab.agree(3);
      // A follower: what the leader answers is compared with its place in the log before.
      const { machine } = lab.members.find((member) => member !== leader) ?? {};
      if (machine !== undefined && machine !== null) machine.hash ^= 1;
      lab.agree(3);
    });
    expect(await complaint(cheated)).toMatch(/^FLOTILLA_REPLICAS_DIFFER/);
  });

  it('an acknowledged command that is gone fails a run', async () => {
    const cheated = script(3, (lab) => {
      lab.boot();
      lab.agree(3);
      for (const member of lab.members) lab.crash(member);
      for (const { image, node } of lab.members) {
        Object.assign(image, { values: [], hash: 0, applied: { index: 0, term: 0 } });
        node.disk.inodes.clear();
      }
      for (const member of lab.members) lab.restart(member);
      lab.leader();
      lab.finish();
    });
    expect(await complaint(cheated)).toMatch(/FLOTILLA_(REPLICAS_DIFFER|LOST_WRITE|WRONG_RESULT)|two-/);
  });
});
