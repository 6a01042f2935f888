import { isFlotillaError } from '@flotilla/platform';
import { expect, it } from 'vitest';
import { appendCommand, ListImage, ListMachine, type ListResult } from '../simulation/host-machine.ts';
import { configurationOf, emptyConfiguration } from '../src/core/configuration.ts';
import type { MembershipStep } from '../src/core/types.ts';
import type { Group } from '../src/host/types.ts';
import { type SimulatedHost, SimulatedHosts } from './simulated-hosts.ts';

const id = 7;

/** A second group beside group 0, at all three. */
class Second {
  readonly hosts: SimulatedHosts;
  readonly groups = new Map<SimulatedHost, Group<ListResult>>();
  readonly machines = new Map<SimulatedHost, ListMachine>();
  #value = 0;

  constructor(hosts: SimulatedHosts) {
    this.hosts = hosts;
    for (const member of hosts.members) this.open(member, new ListMachine(new ListImage()), true);
  }

  /** Does it in a life of that member, and answers when it is done: the code of an error, or null. */
  act(member: SimulatedHost, action: () => Promise<unknown>): string | null {
    let ended: string | null | undefined;
    const run = (): void => {
      action().then(
        () => (ended = null),
        (error: unknown) => (ended = isFlotillaError(error) ? error.code : String(error)),
      );
    };
    this.hosts.world.after(0, run, member.node.life);
    this.hosts.until('it to end', () => ended !== undefined);
    return ended ?? null;
  }

  open(member: SimulatedHost, machine: ListMachine, founds: boolean): string | null {
    return this.act(member, async () => {
      const group = await member.host.openGroup({
        id,
        stateMachine: machine,
        initialConfiguration: founds
          ? configurationOf(this.hosts.members.map((one) => one.id))
          : emptyConfiguration,
        membersMayReturn: true,
      });
      this.groups.set(member, group);
      this.machines.set(member, machine);
    });
  }

  append(member: SimulatedHost): string | null {
    this.#value += 1;
    const command = appendCommand(this.#value);
    return this.act(member, () => this.group(member).propose(command, { timeoutMs: 20_000 }));
  }

  change(member: SimulatedHost, step: MembershipStep): string | null {
    const change = { steps: [step], transition: 'auto', context: new Uint8Array(0) } as const;
    return this.act(member, () => this.group(member).changeMembership(change, { timeoutMs: 20_000 }));
  }

  group(member: SimulatedHost): Group<ListResult> {
    return this.groups.get(member) as Group<ListResult>;
  }

  get leader(): SimulatedHost {
    const leads = (member: SimulatedHost): boolean =>
      this.groups.get(member)?.status().role === 'leader' && member.node.running;
    this.hosts.until('a leader', () => this.hosts.members.some(leads));
    return this.hosts.members.find(leads) as SimulatedHost;
  }

  get followers(): readonly SimulatedHost[] {
    const { leader } = this;
    return this.hosts.members.filter((member) => member !== leader);
  }
}

it('a group that a member leaves goes with its records, and the others go on', () =>
  SimulatedHosts.run({}, (hosts) => {
    const second = new Second(hosts);
    const { leader } = second;
    for (let i = 0; i < 5; i += 1) expect(second.append(leader)).toBeNull();
    const [goes] = second.followers as [SimulatedHost];
    expect(second.change(leader, { operation: 'remove', id: goes.id })).toBeNull();
    const before = goes.host.status().log.liveBytes;
    expect(second.act(goes, () => goes.host.removeGroup(id))).toBeNull();
    expect(goes.host.status().log.liveBytes).toBeLessThan(before);
    expect(goes.host.status().groups.map(({ group }) => group)).toEqual([0]);
    expect(goes.host.removedGroups).toEqual([id]);
    expect(second.append(goes)).toBe('FLOTILLA_GROUP_REMOVED');
    expect(second.append(leader)).toBeNull();
    // The others and group 0 did not notice.
    hosts.append(hosts.leader, 3);
    hosts.converge();
  }));

it('messages for a group that is gone go nowhere', () =>
  SimulatedHosts.run({}, (hosts) => {
    const second = new Second(hosts);
    const [goes] = second.followers as [SimulatedHost];
    // The others take it for a member, and go on sending.
    expect(second.act(goes, () => goes.host.removeGroup(id))).toBeNull();
    for (let i = 0; i < 5; i += 1) expect(second.append(second.leader)).toBeNull();
    hosts.sleep(3_000);
    expect(goes.host.status()).toMatchObject({ failure: null, groups: [{ group: 0 }] });
    hosts.append(hosts.leader, 3);
    hosts.converge();
  }));

it('what a removed group had on its disk does not make a member of it again, before it is readmitted', () =>
  SimulatedHosts.run({}, (hosts) => {
    const second = new Second(hosts);
    const { leader } = second;
    expect(second.append(leader)).toBeNull();
    const [goes] = second.followers as [SimulatedHost];
    expect(second.change(leader, { operation: 'remove', id: goes.id })).toBeNull();
    expect(second.act(goes, () => goes.host.removeGroup(id))).toBeNull();
    const again = () => second.open(goes, new ListMachine(new ListImage()), false);
    expect(again()).toBe('FLOTILLA_GROUP_REMOVED');
    const former = goes.host;
    goes.node.crash();
    goes.node.start();
    hosts.until('it to be back', () => goes.host !== former);
    expect(goes.host.removedGroups).toEqual([id]);
    expect(again()).toBe('FLOTILLA_GROUP_REMOVED');
    expect(second.act(goes, () => goes.host.readmitGroup(id))).toBeNull();
    expect(again()).toBeNull();
  }));

it('a member comes back to a group that it had left, as a new one', () =>
  SimulatedHosts.run({ config: { snapshotCount: 20, tailEntries: 5 } }, (hosts) => {
    const second = new Second(hosts);
    for (let round = 0; round < 3; round += 1) {
      const { leader } = second;
      const [goes] = second.followers as [SimulatedHost];
      for (let i = 0; i < 4; i += 1) expect(second.append(leader)).toBeNull();
      expect(second.change(leader, { operation: 'remove', id: goes.id })).toBeNull();
      expect(second.act(goes, () => goes.host.removeGroup(id))).toBeNull();
      expect(second.act(goes, () => goes.host.readmitGroup(id))).toBeNull();
      expect(second.append(leader)).toBeNull();
      expect(second.open(goes, new ListMachine(new ListImage()), false)).toBeNull();
      expect(second.change(second.leader, { operation: 'add-learner', id: goes.id })).toBeNull();
      const values = second.machines.get(leader) as ListMachine;
      hosts.until('its state', () => second.machines.get(goes)?.hash === values.hash);
      // The leader has to hear of it.
      hosts.sleep(100);
      expect(second.change(second.leader, { operation: 'add-voter', id: goes.id })).toBeNull();
      expect(second.append(goes)).toBeNull();
    }
    const [other] = second.followers.filter((member) => member !== second.leader);
    expect(second.group(other as SimulatedHost).status().configuration.voters).toEqual([1, 2, 3]);
  }));

it('removing a group twice, and one that was never there, is no error', () =>
  SimulatedHosts.run({}, (hosts) => {
    const second = new Second(hosts);
    const [goes] = second.followers as [SimulatedHost];
    expect(
      second.act(goes, () => Promise.all([goes.host.removeGroup(id), goes.host.removeGroup(id)])),
    ).toBeNull();
    expect(second.act(goes, () => goes.host.removeGroup(99))).toBeNull();
    expect(new Set(goes.host.removedGroups)).toEqual(new Set([id, 99]));
  }));
