import { drawMembers } from './election.ts';
import type { Lab, LabMember } from './lab.ts';
import type { HostsScenario } from './lab-result.ts';
import { reliableWire, unreliableWire } from './lab-wire.ts';
import type { WireFaults } from './lab-wire.ts';

/** Scenarios 28 to 32 of the catalogue: state machines that take over what the log need not keep. */
const snapshotEvery = 10;
const heartbeatMs = 100;

const config = {
  heartbeatMs,
  snapshotCount: snapshotEvery,
  tailEntries: 0,
  // A follower that is this close behind is not given a snapshot for it.
  laggingEntries: snapshotEvery,
};
/** What the log may hold; ours is 20 entries, the courses' 2,000 bytes. */
const stateLimits = { bytes: 2_000, entries: 20 } as const;

interface Disturbance {
  readonly kind: 'none' | 'cut' | 'crash';
  readonly wire: WireFaults;
}

export const snapshots: readonly HostsScenario[] = [
  scenario('28', 'none', reliableWire, `holds ${stateLimits.entries} entries, and no snapshot is sent`),
  scenario('29 (reliable)', 'cut', reliableWire, 'one member cut in each, every third time the leader'),
  scenario('29 (unreliable)', 'cut', unreliableWire, 'one member cut in each, on a lossy network'),
  scenario('30 (reliable)', 'crash', reliableWire, 'one member crashed in each, every third time the leader'),
  scenario('30 (unreliable)', 'crash', unreliableWire, 'one member crashed in each, on a lossy network'),
  {
    number: '31 (reliable)',
    title: 'all members crash five times: the next command always has a later place and index, within 10 s',
    options: { members: 3, config },
    play: crashAll,
  },
  {
    number: '31 (unreliable)',
    title: 'all members crash five times on a lossy network: the next command has a later place, within 10 s',
    options: { members: 3, config, wire: unreliableWire },
    play: crashAll,
  },
  {
    number: '32 (reliable)',
    title: 'a snapshot, a restart of all, one command, and again: each agreed within 10 s',
    options: { members: 3, config },
    play: afterSnapshot,
  },
  {
    number: '32 (unreliable)',
    title:
      'a snapshot, a restart of all, one command, and again, on a lossy network: each agreed within 10 s',
    options: { members: 3, config, wire: unreliableWire },
    play: afterSnapshot,
  },
];

function scenario(number: string, kind: Disturbance['kind'], wire: WireFaults, what: string): HostsScenario {
  return {
    number,
    title: `30 rounds of 5 to 14 commands, a snapshot every ${snapshotEvery}: the log stays under ${stateLimits.bytes} bytes, ${what}`,
    options: { members: 3, config, wire },
    play: (lab) => thirtyRounds(lab, { kind, wire }),
  };
}

function thirtyRounds(lab: Lab, disturbance: Disturbance): void {
  const { kind } = disturbance;
  lab.boot();
  lab.agree(3);
  for (let round = 0; round < 30; round += 1) {
    const leader = lab.leader();
    const follower = lab.pick(
      lab.members.filter((member) => member !== leader),
      'follower',
    );
    const victim = round % 3 === 1 ? leader : follower;
    if (kind === 'cut') lab.cut(victim);
    if (kind === 'crash') lab.crash(victim);
    if (kind !== 'none') lab.agree(2);
    burst(lab);
    lab.agree(kind === 'none' ? 3 : 2);
    checkState(lab, kind === 'none');
    if (kind === 'cut') lab.connect(victim);
    if (kind === 'crash') lab.restart(victim);
    if (kind !== 'none') lab.agree(3);
  }
  const { snapshotChunks } = lab.wire.counts;
  if (kind === 'none') lab.measure('snapshots sent', snapshotChunks, 0, 'chunks');
  else lab.expect(snapshotChunks > 0, 'somebody needed a snapshot');
  lab.wire.faults = reliableWire;
  lab.finish();
}

/** 5 to 14 commands at once. */
function burst(lab: Lab): void {
  const leader = lab.leader();
  for (let left = snapshotEvery / 2 + lab.draw(snapshotEvery, 'commands of a round'); left > 0; left -= 1) {
    lab.start(leader);
  }
}

/**
 * Logs are compacted once a heartbeat, and a flush and a sync may come between. A log that a cut snapshot goes on from
 * is kept for when the transfer is resumed, so entries are counted only where none is cut.
 */
function checkState(lab: Lab, undisturbed: boolean): void {
  lab.sleep(2 * heartbeatMs + 50);
  for (const member of lab.connected) {
    const state = lab.logState(member);
    lab.measure('log of a member', state.bytes, stateLimits.bytes, 'bytes');
    if (undisturbed)
      lab.measure('log of a member, in entries', state.entries, stateLimits.entries, 'entries');
  }
}

function crashAll(lab: Lab): void {
  lab.boot();
  lab.agree(3);
  for (let round = 0; round < 5; round += 1) {
    burst(lab);
    const before = lab.agree(3);
    const last = Math.min(...lab.members.map((member) => lab.status(member)?.applied ?? 0));
    crashEverybody(lab);
    const place = lab.agree(3);
    lab.expect(place > before, 'the next command has a later place');
    const applied = Math.min(...lab.members.map((member) => lab.status(member)?.applied ?? 0));
    lab.expect(applied > last, 'the next command has a later index');
  }
  lab.finish();
}

function crashEverybody(lab: Lab): void {
  // Not at one moment: the last ones may still commit something.
  for (const member of drawMembers(lab, 3)) {
    lab.crash(member);
    if (lab.draw(2, 'gap between crashes') === 1) lab.sleep(lab.draw(20, 'gap'));
  }
  for (const member of lab.members) lab.restart(member);
}

function afterSnapshot(lab: Lab): void {
  lab.boot();
  const leader: LabMember = lab.settledLeader();
  for (let command = 0; command <= snapshotEvery; command += 1) lab.start(leader);
  lab.agree(3);
  lab.within('a snapshot everywhere', 1_000, () =>
    lab.members.every((member) => lab.logState(member).first > 1),
  );
  for (let round = 0; round < 2; round += 1) {
    crashEverybody(lab);
    lab.agree(3);
  }
  lab.finish();
}
