import type { SimNode } from '@flotilla/sim';
import { Clients } from './clients.ts';
import { drawMembers } from './election.ts';
import type { Lab } from './lab.ts';
import { labLimits } from './lab.ts';
import type { HostsScenario } from './lab-result.ts';

/**
 * Scenarios 68 and 69: what the courses never test. 68 is about real files; here is what of it a simulated disk can
 * show: unsynced sectors kept, lost or torn, names that were not synced, and bytes that change while nobody looks.
 */
const config = { logLimits: { segmentBytes: 16 * 1024 } };
const repeating = { duplicatePerMille: 100, reorderPerMille: 100, redeliverPerMille: 50 };

export const beyond: readonly HostsScenario[] = [
  {
    number: '68 (lost bytes)',
    title:
      'power cuts at any disk operation, unsynced bytes lost or torn: every acknowledged value stays, one more on 3 within 10 s',
    options: { members: 3, config, flushEvery: 20 },
    play: powerCuts,
  },
  {
    number: '68 (corruption)',
    title:
      'a member whose log was changed in the middle refuses to start and says so; the others serve within 5 s',
    options: { members: 3, config, flushEvery: 1_000 },
    play: corruption,
  },
  {
    number: '69 (duplicates)',
    title:
      '10 % of messages twice, 10 % overtaken, 5 % again from long ago: every value once, one more on 5 within 10 s',
    options: { members: 5, world: repeating },
    play: (lab) => disturbed(lab, (round) => lab.sleep(round * 20)),
  },
  {
    number: '69 (one-way cuts)',
    title:
      'members that hear and are not heard, or the reverse: a leader within 5 s of the end, every value once',
    options: { members: 5 },
    play: (lab) => disturbed(lab, () => oneWayCut(lab)),
  },
  {
    number: '69 (pauses)',
    title:
      'members stopped and continued, the leader too: no stale leader serves, a leader within 5 s of the end',
    options: { members: 5 },
    play: (lab) => disturbed(lab, () => pause(lab)),
  },
];

const rounds = 12;

/** Clients run while `round` is played again and again; then everything must be there, once. */
function disturbed(lab: Lab, round: (number: number) => void): void {
  lab.boot();
  const clients = new Clients(lab, { count: 3, timeoutMs: 1_000, thinkMaxMs: 120 });
  clients.start();
  for (let number = 0; number < rounds; number += 1) {
    round(number);
    lab.sleep(300 + lab.draw(900, 'length of a round'));
  }
  clients.stop();
  lab.heal();
  lab.settledLeader();
  lab.finish();
  lab.expect(clients.acknowledged > 0, 'clients were served');
}

function oneWayCut(lab: Lab): void {
  const cuts = drawMembers(lab, 1 + lab.draw(2, 'how many are cut'));
  const mute = lab.draw(2, 'mute or deaf') === 0;
  lab.shape((from, to) => !cuts.includes(mute ? from : to));
}

function pause(lab: Lab): void {
  const leader = lab.findLeader();
  const chosen = lab.draw(2, 'pause the leader') === 0 ? leader : lab.pick(lab.members, 'who is paused');
  for (const { node } of lab.members) node.resume();
  chosen?.node.pause();
}

function powerCuts(lab: Lab): void {
  lab.boot();
  const clients = new Clients(lab, { count: 3, timeoutMs: 1_000, thinkMaxMs: 60 });
  clients.start();
  for (let round = 0; round < rounds; round += 1) {
    lab.sleep(lab.draw(600, 'time before a power cut'));
    const victims = drawMembers(lab, 1 + lab.draw(3, 'how many lose power'));
    for (const victim of victims) {
      // Now, or in the middle of what the disk does next.
      if (lab.draw(2, 'when') === 0) lab.crash(victim, true);
      else victim.node.disk.faults.crashAtOperation = 1 + lab.draw(12, 'at which operation');
    }
    lab.sleep(50 + lab.draw(300, 'time without power'));
    for (const member of lab.members) lab.restart(member);
  }
  clients.stop();
  lab.sleep(500);
  lab.heal();
  lab.settledLeader();
  lab.finish();
  lab.expect(clients.acknowledged > 0, 'clients were served');
}

function corruption(lab: Lab): void {
  lab.boot();
  for (let command = 0; command < 10; command += 1) lab.agree(3, { sizeBytes: 300 });
  lab.sleep(500);
  const victim = lab.pick(lab.members, 'whose log is changed');
  lab.crash(victim);
  changeByte(lab, victim.node);
  let refusal: string | null = null;
  lab.world.stopsNode = (node, error) => {
    if (node !== victim.node) return false;
    refusal = error.message;
    return 'code' in error && error.code === 'FLOTILLA_LOG_DAMAGED';
  };
  lab.restart(victim);
  lab.within('refusal to start', labLimits.leaderMs, () => !victim.node.running);
  lab.expect(refusal !== null, 'the member says why it does not start');
  lab.settledLeader();
  for (let command = 0; command < 5; command += 1) lab.agree(2);
}

/** One bit, somewhere in the first half of what was written and synced. */
function changeByte(lab: Lab, node: SimNode): void {
  const [path] = [...node.disk.inodes.keys()]
    .filter((name) => name.includes('log/') && !name.endsWith('lock'))
    .sort();
  const inode = path === undefined ? undefined : node.disk.inodes.get(path);
  if (inode === undefined) return lab.fail('the member has a log');
  const { bytes } = inode;
  let end = Math.min(bytes.size, config.logLimits.segmentBytes);
  while (end > 0 && bytes.read(end - 1, 1)[0] === 0) end -= 1;
  lab.expect(end > 3_000, `the log has some bytes, and ends at ${end}`);
  // Behind the segment's header and its mark, which carries no record and may be lost (seed 105 of the former draw hit
  // it), and well before the last record.
  let at = 1_024 + lab.draw(end - 2_012, 'which byte');
  // Not in the space between batches, which means nothing.
  while (bytes.read(at, 1)[0] === 0) at += 1;
  const byte = bytes.read(at, 1)[0] ?? 0;
  inode.write(at, Uint8Array.of(byte ^ (1 << lab.draw(8, 'which bit'))));
  lab.world.fault('corruption', `byte ${at} of ${path} at ${node.name} changes`);
}
