import { FlotillaError } from '@flotilla/platform';
import { expect, it } from 'vitest';
import { ListImage, ListMachine } from '../simulation/host-machine.ts';
import type { Entry, SnapshotMeta } from '../src/core/types.ts';
import type { HostedGroup } from '../src/host/hosted-group.ts';
import type { SnapshotSink } from '../src/host/types.ts';
import { SimulatedHosts } from './simulated-hosts.ts';
import type { SimulatedHost } from './simulated-hosts.ts';

/** Cannot apply one value before something has come that is not of the group. */
class WaitingMachine extends ListMachine {
  waitsFor = -1;
  /** How often it was asked for the entry that is next. */
  asked = 0;
  stateMissing = false;

  holds(entry: Entry): boolean {
    if (entry.kind !== 'command' || this.waitsFor < 0) return false;
    const value = new DataView(entry.payload.buffer, entry.payload.byteOffset).getUint32(0);
    if (value !== this.waitsFor) return false;
    if (entry.index === this.applied.index + 1) this.asked += 1;
    return true;
  }
}

const machine = (member: SimulatedHost): WaitingMachine => new WaitingMachine(member.image);

function waiting(member: SimulatedHost): WaitingMachine {
  return member.machine as WaitingMachine;
}

/** Lets `member` wait for a value, which somebody appends with some others: so many before it. */
function hold(hosts: SimulatedHosts, member: SimulatedHost, by: SimulatedHost, before = 0): void {
  const next = member.machine.values.length + 1 + before;
  waiting(member).waitsFor = next;
  let answered = 0;
  hosts.appendSoon(by, 5, () => (answered += 1));
  hosts.until('the hold', () => member.group.status().held !== null);
  expect(member.machine.values.length).toBe(next - 1);
  if (by !== member) hosts.until('the others to go on', () => answered === 5);
}

function release(member: SimulatedHost): void {
  waiting(member).waitsFor = -1;
  member.group.resume();
}

it('a follower that holds an entry applies nothing from there on, and takes part in all else', () =>
  SimulatedHosts.run({ machine, config: { snapshotCount: 1_000_000 } }, (hosts) => {
    const { leader } = hosts;
    const [held] = hosts.followers;
    hosts.append(leader, 3);
    hosts.converge();
    hold(hosts, held, leader);
    const { applied } = held.group.status();
    // With another one down it is needed for every commit.
    const other = hosts.members.find((one) => one !== held && one !== leader) as SimulatedHost;
    other.node.crash();
    hosts.append(leader, 20);
    hosts.sleep(5_000);
    const status = held.group.status();
    expect(status.applied).toBe(applied);
    expect(status.commit).toBe(leader.group.status().commit);
    expect(status.held?.index).toBe(applied + 1);
    expect(status.held?.forMs).toBeGreaterThanOrEqual(5_000);
    // Asked once, and not again and again.
    expect(waiting(held).asked).toBe(1);
    held.group.resume();
    hosts.sleep(10);
    expect(waiting(held).asked).toBe(2);
    other.node.start();
    release(held);
    hosts.converge();
    expect(held.group.status().held).toBeNull();
  }));

it('a read waits for what is held, at that member alone', () =>
  SimulatedHosts.run({ machine }, (hosts) => {
    const { leader } = hosts;
    const [held, other] = hosts.followers;
    hosts.append(leader, 3);
    hosts.converge();
    hold(hosts, held, leader);
    const read: number[] = [];
    const reads = (member: SimulatedHost) => () => {
      member.group.readBarrier({ timeoutMs: 20_000 }).then(
        () => read.push(member.id),
        () => read.push(-1),
      );
    };
    for (const member of [held, other, leader]) hosts.world.after(0, reads(member), member.node.life);
    hosts.until('two reads', () => read.length === 2);
    hosts.sleep(1_000);
    expect(read).toHaveLength(2);
    expect(read).not.toContain(held.id);
    release(held);
    hosts.until('the third', () => read.length === 3);
    expect(read[2]).toBe(held.id);
  }));

it('a leader that holds an entry commits, compacts, sends its state, and hands over', () =>
  SimulatedHosts.run({ machine }, (hosts) => {
    const { leader } = hosts;
    const [behind, other] = hosts.followers;
    behind.node.crash();
    hosts.append(leader, 30);
    hold(hosts, leader, other, 2);
    expect(leader.group.status().applied).toBeLessThan(leader.group.status().commit);
    const { view } = leader.group as unknown as HostedGroup<unknown>;
    hosts.until('a compaction', () => view.firstIndex === leader.group.status().applied + 1);
    // Its state is from before the entry that it holds, and the log has the rest.
    behind.node.start();
    hosts.until('the follower to have all', () => behind.machine.values.length === 35);
    expect(leader.host.metrics.snapshotsSent).toBe(1);
    expect(leader.machine.values).toHaveLength(32);
    let led = false;
    hosts.world.after(
      0,
      () => {
        void leader.group.transferLeadership(other.id, { timeoutMs: 5_000 }).then(() => (led = true));
      },
      leader.node.life,
    );
    hosts.until('another leader', () => led);
    release(leader);
    hosts.converge();
  }));

it('a member that holds an entry can take the state from behind it instead', () =>
  SimulatedHosts.run({ machine, config: { snapshotCount: 1_000_000 } }, (hosts) => {
    const { leader } = hosts;
    const [held] = hosts.followers;
    hosts.append(leader, 3);
    hosts.converge();
    // Nobody needs one.
    held.group.requestSnapshot();
    hold(hosts, held, leader);
    hosts.sleep(1_000);
    expect(held.host.metrics.snapshotsReceived).toBe(0);
    held.group.requestSnapshot();
    hosts.until('a snapshot', () => held.host.metrics.snapshotsReceived === 1);
    hosts.append(leader, 5);
    hosts.converge();
    expect(held.group.status().held).toBeNull();
    // What it waited for never came.
    expect(waiting(held).waitsFor).toBeGreaterThan(0);
  }));

it('a member that holds an entry can be stopped, and holds it again', () =>
  SimulatedHosts.run({ machine }, (hosts) => {
    const { leader } = hosts;
    const [held] = hosts.followers;
    hosts.append(leader, 3);
    hosts.converge();
    hold(hosts, held, leader);
    let closed = false;
    hosts.world.after(
      0,
      () => {
        void held.host.close().then(() => (closed = true));
      },
      held.node.life,
    );
    hosts.until('it is closed', () => closed);
    held.node.crash();
    held.node.start();
    hosts.converge();
  }));

it('a member whose machine says that it has no state asks for one, and does not begin with the first entry', () => {
  let lost: SimulatedHost | null = null;
  const losing = (member: SimulatedHost): WaitingMachine => {
    const made = machine(member);
    if (member === lost) {
      made.values = [];
      made.hash = 0;
      made.applied = { index: 0, term: 0 } as typeof made.applied;
      made.stateMissing = true;
    }
    return made;
  };
  return SimulatedHosts.run({ machine: losing, config: { snapshotCount: 1_000_000 } }, (hosts) => {
    const { leader } = hosts;
    const [member] = hosts.followers;
    hosts.append(leader, 10);
    hosts.converge();
    lost = member;
    member.node.crash();
    hosts.sleep(100);
    Object.assign(member.image, { values: [], hash: 0, applied: { index: 0, term: 0 }, installed: null });
    member.node.start();
    hosts.converge();
    expect(member.host.metrics.snapshotsReceived).toBe(1);
  });
});

it('a leader that holds an entry for long hands over to those who do not', () =>
  SimulatedHosts.run({ machine, config: { snapshotCount: 1_000_000 } }, (hosts) => {
    hosts.append(hosts.leader, 3);
    hosts.converge();
    const { leader } = hosts;
    const [other] = hosts.followers;
    hold(hosts, leader, leader);
    hosts.until('another leader', () => hosts.members.some((one) => one !== leader && leads(one)));
    hosts.append(other, 3);
    release(leader);
    hosts.converge();
  }));

it('a leader whose state is missing hands over until one leads that has it', () =>
  SimulatedHosts.run({ machine: roomless }, (hosts) => {
    hosts.append(hosts.leader, 3);
    hosts.converge();
    const [first] = hosts.followers;
    const lost = [hosts.leader, first];
    for (const member of lost) {
      member.node.crash();
      Object.assign(member.image, new ListImage(), { installing: true });
      member.node.start();
    }
    const [whole] = hosts.members.filter((one) => !lost.includes(one)) as [SimulatedHost];
    hosts.until('the state to be missing', () => lost.every((one) => isMissing(one)));
    hosts.until('the one with its state to lead', () => leads(whole));
    for (const asked of [...lost, ...lost]) {
      whole.group.transferLeadership(asked.id, { timeoutMs: 1_000 }).catch(() => undefined);
      hosts.until('one without state to lead', () => lost.some((one) => leads(one)));
      hosts.until('the one with its state to lead', () => leads(whole));
    }
    hosts.append(whole, 3);
  }));

/** Has no room for a snapshot, ever. */
class RoomlessMachine extends ListMachine {
  readonly stateMissing: boolean;

  constructor(image: ListImage) {
    const { installing } = image;
    super(image);
    this.stateMissing = installing;
  }

  override async install(meta: SnapshotMeta): Promise<SnapshotSink> {
    const sink = await super.install(meta);
    const error = new FlotillaError('FLOTILLA_SNAPSHOT_BUSY', 'there is no room');
    return { ...sink, write: () => Promise.reject(error) };
  }
}

const roomless = (member: SimulatedHost): ListMachine => new RoomlessMachine(member.image);

function leads(member: SimulatedHost): boolean {
  return member.node.running && member.group.status().role === 'leader';
}

function isMissing(member: SimulatedHost): boolean {
  return member.node.running && !member.group.status().stateReady;
}
