import type { Tape } from '@flotilla/sim';
import type { CoreCluster } from './cluster.ts';
import type { SimulatedMember } from './member.ts';
import { isQuorum } from './sets.ts';
import { faultKinds } from './settings.ts';
import type { FaultKind } from './settings.ts';

const slowDiskMs = 500;

/** Decides which faults happen, and when. */
export class Nemesis {
  readonly #tape: Tape;
  readonly #cluster: CoreCluster;
  readonly #totalWeight: number;

  constructor(tape: Tape, cluster: CoreCluster) {
    this.#tape = tape;
    this.#cluster = cluster;
    const { weights } = cluster.settings;
    this.#totalWeight = faultKinds.reduce((total, kind) => total + weights[kind], 0);
    cluster.onFault = () => this.#strike();
    cluster.onLeader = (member) => this.#ambush(member);
  }

  #strike(): void {
    if (this.#totalWeight === 0) return;
    // 0, the harmless choice: nothing happens this time.
    let at = this.#tape.choose(this.#totalWeight + 1, 'fault') - 1;
    if (at < 0) return;
    for (const kind of faultKinds) {
      at -= this.#cluster.settings.weights[kind];
      if (at < 0) {
        this.#inject(kind);
        return;
      }
    }
  }

  /** The windows in which replication is half done are short: a new leader is struck within one of them. */
  #ambush(leader: SimulatedMember): void {
    const cluster = this.#cluster;
    const { ambushPerMille } = cluster.settings;
    if (!cluster.faulty || !this.#tape.chance(ambushPerMille, 1000, 'ambush')) return;
    const { life } = leader;
    cluster.later(this.#tape.choose(40, 'ambush delay') / 4, () => {
      if (!cluster.faulty || leader.life !== life) return;
      switch (this.#tape.choose(3, 'ambush kind')) {
        case 0:
          this.#isolate(leader);
          break;
        case 1:
          this.#crash(leader);
          break;
        default:
          // One follower still hears it: entries get to a minority.
          this.#isolateBut(leader, this.#member('survivor'));
          break;
      }
    });
  }

  #inject(kind: FaultKind): void {
    const cluster = this.#cluster;
    cluster.coverage.count(`fault: ${kind}`);
    switch (kind) {
      case 'crash':
        this.#crash(this.#member('victim'));
        break;
      case 'crash-all':
        for (const member of cluster.members) this.#crash(member);
        break;
      case 'pause':
        cluster.pause(this.#member('victim'), 10 * (1 + this.#tape.choose(60, 'pause')));
        break;
      case 'cut-one-way': {
        const from = this.#member('from');
        const to = this.#member('to');
        cluster.say(`cut n${from.id} -> n${to.id}`);
        cluster.network.cut(from.id, to.id, true);
        break;
      }
      case 'isolate':
        this.#isolate(this.#member('victim'));
        break;
      case 'isolate-leader':
        if (cluster.leader !== undefined) this.#isolate(cluster.leader);
        break;
      case 'partition':
        this.#partition();
        break;
      case 'heal-network':
        cluster.say('heal the network');
        cluster.network.heal();
        break;
      case 'redeliver':
        this.#redeliver(1, cluster.network.history.length);
        break;
      case 'redeliver-burst':
        this.#redeliver(20, this.#tape.chance(1, 2, 'recent') ? 200 : cluster.network.history.length);
        break;
      case 'campaign':
        this.#campaign(this.#running());
        break;
      case 'transfer': {
        const [member, to] = [this.#running(), this.#member('transferee').id];
        cluster.say(`ask n${member.id} to hand over to n${to}`);
        cluster.step(member, { type: 'transfer', to });
        break;
      }
      case 'reset-connection': {
        const a = this.#member('from');
        const b = this.#member('to');
        if (a === b) break;
        cluster.say(`reset the connection of n${a.id} and n${b.id}`);
        cluster.heartbeats.resetConnection(a, b);
        break;
      }
      case 'slow-disk': {
        const victim = this.#member('victim');
        cluster.say(`slow the disk of n${victim.id} for ${slowDiskMs} ms`);
        victim.slowDiskUntilMs = cluster.now + slowDiskMs;
        break;
      }
      case 'forget-leader': {
        const member = this.#running();
        cluster.say(`let n${member.id} forget its leader`);
        cluster.step(member, { type: 'forget-leader' });
        break;
      }
      case 'resign': {
        const member = cluster.leader ?? this.#running();
        cluster.say(`let n${member.id} resign`);
        cluster.step(member, { type: 'resign' });
        break;
      }
      case 'wipe':
        this.#wipe(this.#member('victim'));
        break;
    }
  }

  #crash(member: SimulatedMember): void {
    if (!member.up) return;
    const cluster = this.#cluster;
    const pending = member.disk.pendingWrites;
    // 0, the harmless choice, loses nothing.
    cluster.crash(member, pending - this.#tape.choose(pending + 1, 'lost writes'));
    cluster.later(5 * (1 + this.#tape.choose(60, 'down')), () => cluster.restart(member));
  }

  /** As its host would: not while it has promised not to. */
  #campaign(member: SimulatedMember): void {
    if (member.pledge.untilMs > this.#cluster.now) return;
    this.#cluster.say(`let n${member.id} campaign`);
    this.#cluster.step(member, { type: 'campaign' });
  }

  /** Never so many that nobody could go on: nothing can be done about that but what an operator does by hand. */
  #wipe(victim: SimulatedMember): void {
    const cluster = this.#cluster;
    if (!victim.up || cluster.isStranger(victim)) return;
    const isLeft = (id: number): boolean => id !== victim.id && cluster.members[id - 1]?.wiped === false;
    if (cluster.decisive(isLeft).every((configuration) => isQuorum(configuration, isLeft)))
      cluster.wipe(victim);
  }

  #isolate(member: SimulatedMember): void {
    this.#isolateBut(member, member);
  }

  #isolateBut(member: SimulatedMember, friend: SimulatedMember): void {
    const cluster = this.#cluster;
    cluster.say(
      friend === member ? `isolate n${member.id}` : `isolate n${member.id} from all but n${friend.id}`,
    );
    for (const other of cluster.members) {
      if (other === member || other === friend) continue;
      cluster.network.cut(member.id, other.id, true);
      cluster.network.cut(other.id, member.id, true);
    }
    this.#healLater();
  }

  #partition(): void {
    const cluster = this.#cluster;
    const sides = cluster.members.map(() => this.#tape.choose(2, 'side'));
    const sideOf = (wanted: number): string =>
      cluster.members
        .filter((_, i) => sides[i] === wanted)
        .map(({ id }) => `n${id}`)
        .join(', ') || 'nobody';
    cluster.say(`partition: ${sideOf(0)} | ${sideOf(1)}`);
    for (const a of cluster.members) {
      for (const b of cluster.members) {
        if (a !== b) cluster.network.cut(a.id, b.id, sides[a.id - 1] !== sides[b.id - 1]);
      }
    }
    this.#healLater();
  }

  #healLater(): void {
    const cluster = this.#cluster;
    if (this.#tape.chance(1, 4, 'lasting')) return;
    cluster.later(10 * (1 + this.#tape.choose(80, 'cut')), () => cluster.network.heal());
  }

  #redeliver(times: number, reach: number): void {
    const { history } = this.#cluster.network;
    if (history.length === 0) return;
    if (times > 1) this.#cluster.say(`deliver ${times} old messages again`);
    for (let i = 0; i < times; i += 1) {
      const back = this.#tape.choose(Math.min(reach, history.length), 'old message');
      const message = history[history.length - 1 - back];
      if (message !== undefined)
        this.#cluster.network.redeliver(message, this.#tape.choose(20, 'redelivery'));
    }
  }

  #member(label: string): SimulatedMember {
    const { present } = this.#cluster;
    return present[this.#tape.choose(present.length, label)] as SimulatedMember;
  }

  #running(): SimulatedMember {
    const member = this.#member('member');
    return member.pausedUntilMs > this.#cluster.now ? (this.#cluster.leader ?? member) : member;
  }
}
