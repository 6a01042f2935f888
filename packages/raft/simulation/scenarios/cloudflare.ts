import { Clients } from './clients.ts';
import { drawMembers } from './election.ts';
import type { Lab, LabMember } from './lab.ts';
import type { HostsScenario } from './lab-result.ts';

const electionMs = 1_000;
/** Election time-outs after which service must be back. */
const patience = 5;
const promise = `a write commits within ${patience * electionMs} ms, five election time-outs, and so at any time after`;

/**
 * The networks of «Raft does not guarantee liveness in the face of network faults» (Howard and Abraham, 2020), which
 * took down Cloudflare's control plane for six hours: links fail one by one, so that members disagree about who is
 * alive. As long as the members of some quorum can all talk to each other, a write must be committed within five election
 * time-outs of the fault, and of any moment after it. Pre-vote and check-quorum are on, as they are by default.
 */
export const topologies: readonly HostsScenario[] = [
  topology('bridge', 5, 'two halves of 2, and one member that sees both', ([bridge, a, b]) => (from, to) => {
    const side = (member: LabMember): number => (member === a || member === b ? 1 : 2);
    return from === bridge || to === bridge || side(from) === side(to);
  }),
  topology('two leaves', 3, 'two members that see only the third', ([middle]) => (from, to) => {
    return from === middle || to === middle;
  }),
  topology('lost link of the leader', 5, 'the leader and one follower cannot talk', (parts, leader) => {
    const other = parts.find((member) => member !== leader);
    return (from, to) => !isPair(from, to, leader, other);
  }),
  topology(
    'receives only',
    3,
    'one member hears everybody and reaches nobody',
    ([mute]) =>
      (from) =>
        from !== mute,
  ),
  topology(
    'leader sends only',
    3,
    'the leader reaches everybody and hears nobody',
    (_parts, leader) => (_from, to) => {
      return to !== leader;
    },
  ),
  topology(
    'leader sends only, of 5',
    5,
    'the leader reaches everybody and hears nobody',
    (_parts, leader) => {
      return (_from, to) => to !== leader;
    },
  ),
  topology(
    'leader receives only',
    5,
    'the leader hears everybody and reaches nobody',
    (_parts, leader) => (from) => {
      return from !== leader;
    },
  ),
  topology('chain of 3', 3, 'each sees its neighbours in a line', chain),
  topology('chain of 4 and a triangle', 5, 'a line whose first three all see each other', (parts) => {
    const line = chain(parts);
    const [a, , c] = parts;
    return (from, to) => line(from, to) || isPair(from, to, a, c);
  }),
  topology('chain of 5', 5, 'each sees its neighbours in a line; only the inner three reach a quorum', chain),
  topology('any graph', 5, 'any links, one way or both, but three members who all see each other', anyGraph),
  topology(
    'any graph of 7',
    7,
    'any links, one way or both, but four members who all see each other',
    anyGraph,
  ),
  {
    number: 'flapping link',
    title: `the link of the leader and a follower fails and comes back, many times: ${promise}`,
    options: { members: 3 },
    play: flapping,
  },
];

function isPair(from: LabMember, to: LabMember, a?: LabMember, b?: LabMember): boolean {
  return (from === a && to === b) || (from === b && to === a);
}

function chain(parts: readonly LabMember[]): Carries {
  return (from, to) => Math.abs(parts.indexOf(from) - parts.indexOf(to)) === 1;
}

function anyGraph(parts: readonly LabMember[], _leader: LabMember, lab: Lab): Carries {
  const quorum = parts.slice(0, (parts.length >> 1) + 1);
  const density = lab.draw(4, 'density of the other links');
  const carried = new Set<string>();
  for (const from of parts) {
    for (const to of parts) if (lab.draw(4, 'link') < density) carried.add(`${from.id} ${to.id}`);
  }
  return (from, to) => (quorum.includes(from) && quorum.includes(to)) || carried.has(`${from.id} ${to.id}`);
}

type Carries = (from: LabMember, to: LabMember) => boolean;
/** `parts`: the members in any order. */
type Shape = (parts: readonly LabMember[], leader: LabMember, lab: Lab) => Carries;

function topology(number: string, members: number, what: string, shape: Shape): HostsScenario {
  return {
    number,
    title: `${what}: ${promise}`,
    options: { members },
    play: (lab) => {
      lab.boot();
      const leader = lab.settledLeader();
      const service = new Service(lab);
      lab.sleep(200 + lab.draw(400, 'time before the fault'));
      lab.shape(shape(drawMembers(lab, members), leader, lab));
      service.faultyFrom(lab.now);
      lab.sleep((patience + 10) * electionMs);
      service.stop();
      lab.heal();
      lab.settledLeader();
      lab.finish();
    },
  };
}

function flapping(lab: Lab): void {
  lab.boot();
  const leader = lab.settledLeader();
  const follower = lab.pick(
    lab.members.filter((member) => member !== leader),
    'follower',
  );
  const service = new Service(lab);
  lab.sleep(200);
  service.faultyFrom(lab.now);
  for (let round = 0; round < 12; round += 1) {
    lab.shape((from, to) => !isPair(from, to, leader, follower));
    lab.sleep(50 + lab.draw(2_500, 'link down'));
    lab.shape(() => true);
    lab.sleep(50 + lab.draw(800, 'link up'));
  }
  service.stop();
  lab.heal();
  lab.settledLeader();
  lab.finish();
}

/** A client at every member, and the longest time in which none of them could commit a new command. */
class Service {
  readonly #lab: Lab;
  readonly #clients: Clients;
  /** The latest moment at which an acknowledged command was proposed. */
  #provenMs = 0;
  #faulty = false;

  constructor(lab: Lab) {
    this.#lab = lab;
    this.#clients = new Clients(lab, {
      count: lab.members.length,
      timeoutMs: electionMs,
      thinkMaxMs: 400,
      ask: (client) => lab.members[client] ?? null,
    });
    this.#clients.onAcknowledged = (proposedMs) => this.#proven(proposedMs);
    this.#clients.start();
  }

  faultyFrom(timeMs: number): void {
    this.#faulty = true;
    this.#provenMs = timeMs;
  }

  stop(): void {
    this.#clients.stop();
    this.#judge();
    this.#faulty = false;
  }

  #proven(proposedMs: number): void {
    if (!this.#faulty || proposedMs < this.#provenMs) return;
    this.#judge();
    this.#provenMs = this.#lab.now;
  }

  #judge(): void {
    const { now } = this.#lab;
    this.#lab.note('time without a committed write', now - this.#provenMs, patience * electionMs, 'ms');
  }
}
