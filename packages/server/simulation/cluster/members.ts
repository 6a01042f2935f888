import { History, put, range } from '@flotilla/check';
import { isFlotillaError, messageOf, type Platform } from '@flotilla/platform';
import { peerFrames } from '@flotilla/raft/simulation';
import { Nemesis, resultOf, World } from '@flotilla/sim';
import type { RunResult, Scenario, SimNode, Tape } from '@flotilla/sim';
import type { Member } from '../../src/member/member.ts';
import { SimClient } from './client.ts';
import type { EtcdHistory } from './client.ts';
import { drawClusterSettings } from './cluster-settings.ts';
import type { ClusterSettings } from './cluster-settings.ts';
import { judge } from './judge.ts';
import { MemberNode, peerPort } from './member-node.ts';
import { MembershipRecord, Operator } from './operator.ts';
import { SimWatcher } from './watcher.ts';
import { WrittenHistory } from './written-history.ts';

const measures = {
  /** Members that may ever be there. */
  places: 7,
  operators: 2,
  faultsMs: 30_000,
  /** From the end of all faults to a cluster that has nothing left to do. */
  convergenceMs: 90_000,
  lastRequestMs: 5_000,
  joinRetryMs: 200,
} as const;

/**
 * The whole database, while operators add learners, promote, remove and replace members and move leadership, under the
 * faults of the cluster scenario. When all is over the registry is Raft's configuration, what was answered is so, no id
 * was used twice, those who were removed serve nobody, and what clients saw was one history.
 */
export const membersScenario: Scenario = {
  name: 'members',
  run: (tape) => new MembersRun(tape).run(),
};

/** Where a member may be: begun from the beginning, or when an operator has added it. */
export class Slot {
  readonly name: string;
  readonly member: MemberNode;
  /** It joins, rather than being there from the beginning. */
  readonly joins: boolean;
  hasBegun: boolean;
  isRemoved = false;
  #begin: () => void = () => undefined;

  constructor(name: string, isFounder: boolean, memberOf: (slot: Slot) => MemberNode) {
    this.name = name;
    this.hasBegun = isFounder;
    this.joins = !isFounder;
    this.member = memberOf(this);
  }

  get running(): Member | null {
    return this.isRemoved ? null : this.member.member;
  }

  begin(): void {
    this.hasBegun = true;
    this.#begin();
  }

  /** A process that does nothing until it is begun, and nothing any more when its member was removed. */
  async main(platform: Platform): Promise<void> {
    if (!this.hasBegun) {
      await new Promise<void>((resolve) => {
        this.#begin = resolve;
      });
    }
    while (!this.isRemoved) {
      try {
        await this.member.main(platform);
        return;
      } catch (error) {
        if (
          !isFlotillaError(error, 'FLOTILLA_JOIN_FAILED') &&
          !isFlotillaError(error, 'FLOTILLA_JOIN_REFUSED')
        ) {
          throw error;
        }
        platform.log.debug('not invited yet', { reason: messageOf(error) });
        await new Promise<void>((resolve) => platform.timer(measures.joinRetryMs, 'join-retry', resolve));
      }
    }
  }
}

class MembersRun {
  readonly #world: World;
  readonly #settings: ClusterSettings;
  readonly #history: EtcdHistory;
  readonly #slots: Slot[] = [];
  readonly #clients: SimClient[] = [];
  readonly #watchers: SimWatcher[] = [];
  readonly #operators: Operator[] = [];
  readonly #record: MembershipRecord;
  readonly #leaders = new Map<number, string>();
  readonly #nemesis: Nemesis;
  readonly #written: WrittenHistory;

  constructor(tape: Tape) {
    const settings = drawClusterSettings(tape);
    this.#settings = settings;
    this.#world = new World({ tape, settings: settings.world });
    this.#written = new WrittenHistory(this.#world);
    this.#record = new MembershipRecord(this.#world);
    this.#world.network.declareFrames(peerPort, peerFrames);
    this.#history = new History(() => this.#world.events);
    const founders = [1, 3][tape.choose(2, 'founders')] as number;
    const victims = this.#addSlots(founders);
    this.#addClients();
    for (let number = 0; number < measures.operators; number += 1) this.#addOperator(number);
    const bystanders = [...this.#world.nodes.values()].filter((node) => !victims.includes(node));
    this.#nemesis = new Nemesis({
      world: this.#world,
      victims,
      bystanders,
      mix: settings.faults,
      intervalMinMs: settings.faultIntervalMinMs,
      intervalMaxMs: settings.faultIntervalMaxMs,
      durationMinMs: 50,
      durationMaxMs: settings.faultDurationMaxMs,
      favourite: () => this.#leader(),
    });
  }

  run(): RunResult {
    const world = this.#world;
    for (const node of world.nodes.values()) node.start();
    this.#nemesis.start();
    world.run(measures.faultsMs, () => {
      if (world.events % 64 === 0) this.#watchIds();
      return false;
    });
    this.#heal();
    this.#converge();
    this.#readEverything();
    this.#judge();
    world.end();
    return resultOf(world);
  }

  #addSlots(founders: number): SimNode[] {
    const elected = (term: number, name: string): void => {
      const other = this.#leaders.get(term);
      this.#leaders.set(term, name);
      if (other !== undefined && other !== name) {
        this.#world.violate('two leaders', `${other} and ${name} both lead term ${term}`);
      }
    };
    const names = Array.from({ length: measures.places }, (_, i) => `n${i + 1}`);
    const founding = names.slice(0, founders);
    return names.map((name, i) => {
      const slot = new Slot(name, i < founders, (self) => {
        const place = {
          settings: () => [
            ['strict-reconfig-check', 'false'] as const,
            ...(self.joins ? this.#invitation(name) : []),
          ],
          removed: () => {
            self.isRemoved = true;
            this.#world.coverage.count('member left');
          },
        };
        return new MemberNode(this.#world, this.#settings, name, founding, this.#written, elected, place);
      });
      this.#slots.push(slot);
      return this.#world.addNode(name, (platform) => slot.main(platform));
    });
  }

  #addClients(): void {
    const [world, settings, history] = [this.#world, this.#settings, this.#history];
    const memberNames = this.#slots.map(({ name }) => name);
    const goesOn = (): boolean => world.now < measures.faultsMs;
    for (let number = 0; number < settings.clients; number += 1) {
      const client = new SimClient({ world, settings, number, memberNames, history, goesOn });
      this.#clients.push(client);
      world.addNode(`c${number + 1}`, (platform) => client.main(platform));
    }
    const watcher = new SimWatcher({
      world,
      name: 'w1',
      memberNames,
      prefix: '\0',
      prevKv: false,
      filter: 'none',
      movesOn: true,
    });
    this.#watchers.push(watcher);
    world.addNode('w1', (platform) => watcher.main(platform));
  }

  #addOperator(number: number): void {
    const world = this.#world;
    const goesOn = (): boolean => world.now < measures.faultsMs;
    const operator = new Operator({ world, number, slots: this.#slots, record: this.#record, goesOn });
    this.#operators.push(operator);
    world.addNode(`o${number + 1}`, (platform) => operator.main(platform));
  }

  #leader(): SimNode | null {
    const leader = this.#slots.find(({ running }) => running?.group.status().role === 'leader');
    return leader === undefined ? null : this.#world.node(leader.name);
  }

  /** Whatever a member believes of an id, everybody has always believed of it. */
  #watchIds(): void {
    for (const { running } of this.#slots) {
      for (const member of running?.database.registry.members.values() ?? []) this.#record.seen(member);
    }
  }

  #heal(): void {
    const world = this.#world;
    if (world.violation !== null) return;
    this.#nemesis.heal();
    world.settings = {
      ...world.settings,
      lossPerMille: 0,
      refusePerMille: 0,
      stallPerMille: 0,
      spikePerMille: 0,
    };
  }

  #converge(): void {
    const world = this.#world;
    if (world.violation !== null) return;
    const over = (): boolean => this.#isAtRest();
    world.run(measures.convergenceMs, () => world.events % 16 === 0 && over());
    if (world.violation === null && !over()) world.violate('no convergence', this.#describe());
  }

  #isAtRest(): boolean {
    if ([...this.#clients, ...this.#operators].some(({ finished }) => !finished)) return false;
    return this.#agree() && this.#watchersAreUpToDate();
  }

  /** Those who are members now, according to whoever leads. */
  #current(): readonly Slot[] {
    const leader = this.#slots.find(({ running }) => running?.group.status().role === 'leader');
    const urls = leader?.running?.membership.members.flatMap(({ peerUrls }) => peerUrls) ?? [];
    return this.#slots.filter(({ name }) => urls.includes(`http://${name}:${peerPort}`));
  }

  #agree(): boolean {
    const current = this.#current();
    if (current.length === 0) return false;
    // An operator that was cut off may never have begun what it had added: then it starts now.
    for (const slot of current) if (!slot.hasBegun) slot.begin();
    if (
      this.#slots.some(
        (slot) => slot.hasBegun && !slot.isRemoved && !current.includes(slot) && slot.running !== null,
      )
    ) {
      return false;
    }
    const statuses = current.map(({ running }) => running?.group.status() ?? null);
    const [first] = statuses;
    if (first === null || first === undefined || first.leader === 0) return false;
    return statuses.every(
      (status) =>
        status !== null &&
        status.stateReady &&
        status.leader === first.leader &&
        status.term === first.term &&
        status.applied === first.applied &&
        status.lastIndex === first.applied,
    );
  }

  /**
   * As whoever starts `name` is told by a member that knows of the latest change: `--initial-cluster` must be the members.
   * With its own place in it, if it has none any more: it has data then, and the list is of no interest, or asks in vain.
   */
  #invitation(name: string): readonly (readonly [string, string])[] {
    const [latest] = this.#slots
      .flatMap(({ running }) => (running === null ? [] : [running.membership]))
      .sort((one, other) => other.changedAt - one.changedAt);
    const known = latest?.members.flatMap(({ peerUrls }) => peerUrls) ?? [];
    const urls = new Set([...known, `http://${name}:${peerPort}`]);
    return [
      ['initial-cluster-state', 'existing'],
      ['initial-cluster', [...urls].map((url) => `${new URL(url).hostname}=${url}`).join(',')],
    ];
  }

  #watchersAreUpToDate(): boolean {
    const revision = this.#current()[0]?.running?.database.revision ?? Infinity;
    return this.#watchers.every((watcher) => watcher.seenRevision >= revision);
  }

  #describe(): string {
    const current = this.#current();
    const members = this.#slots.map((slot) => {
      const { name, running, hasBegun, isRemoved } = slot;
      const status = running?.group.status();
      const kind = `${current.includes(slot) ? 'member' : 'no member'}${hasBegun ? '' : ', not begun'}${isRemoved ? ', removed' : ''}`;
      if (status === undefined) return `${name} (${kind}) does not run`;
      const { role, term, leader, life, applied, lastIndex } = status;
      return `${name} (${kind}): ${role} of term ${term}, leader ${leader}, ${life}, applied ${applied} of ${lastIndex}`;
    });
    const waiting = [...this.#clients, ...this.#operators].filter(({ finished }) => !finished).length;
    return [
      ...members,
      `${waiting} wait`,
      ...this.#watchers.map(({ name, seenRevision }) => `${name} at ${seenRevision}`),
    ].join('; ');
  }

  /** One write and one full read through every voter, then everybody must have the same again. */
  #readEverything(): void {
    const world = this.#world;
    if (world.violation !== null) return;
    const voters = this.#current().filter(({ running }) => running?.membership.self?.isLearner === false);
    const memberNames = voters.map(({ name }) => name);
    const { clients } = this.#settings;
    const options = { world, settings: this.#settings, history: this.#history, goesOn: () => false };
    const last = new SimClient({ ...options, number: clients, memberNames });
    let done = false;
    const main = async (platform: Platform): Promise<void> => {
      last.open(platform);
      for (const [index, name] of memberNames.entries()) {
        for (const request of [put('s/last', name), range('\0', { rangeEnd: '\0' })]) {
          const response = await last.request(index, request, measures.lastRequestMs);
          if (response === null)
            world.violate('not serving', `${name} did not answer a last ${request.type}`);
        }
      }
      last.close();
      done = true;
    };
    world.addNode('last', main).start();
    const over = (): boolean => done && this.#isAtRest();
    world.run(measures.convergenceMs, () => world.events % 16 === 0 && over());
    if (world.violation === null && !over()) world.violate('no convergence', this.#describe());
  }

  #judge(): void {
    const world = this.#world;
    if (world.violation !== null) return;
    this.#watchIds();
    const current = this.#current();
    for (const { name, running } of current) if (running !== null) this.#record.judge(name, running);
    const members = current.map(({ member }) => member);
    const { calls } = this.#history;
    judge({ world, calls, members, watchers: this.#watchers, written: this.#written });
  }
}
