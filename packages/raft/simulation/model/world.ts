import { Violation } from '../core/violation.ts';
import type { Entry, Input, NodeId, PeerMessage, Ref } from '@flotilla/raft';
import { type KnownMessage, Members, type MemberState, type Transition } from './members.ts';
import { requireInvariants, requireStep } from './invariants.ts';
import { type Renaming, renamed, renamings } from './texts.ts';

/** How much may happen. All of it is explored, in every order. */
export interface Bounds {
  readonly members: number;
  readonly terms: number;
  readonly entries: number;
  readonly crashes: number;
  readonly losses: number;
  /** `streams`: messages from one member to another come in their order, as over our own connections. */
  readonly order: 'streams' | 'any';
  /** Messages that are delivered once more. */
  readonly repetitions: number;
}

/** The whole group at one moment. */
export interface World {
  readonly members: readonly MemberState[];
  /** Numbers of messages on their way, as they were sent. */
  readonly messages: readonly number[];
  /** By term, who was elected; 0: nobody was. */
  readonly leaders: readonly number[];
  /** What was ever committed, and the term in which it was. */
  readonly committed: readonly string[];
  readonly committedIn: readonly number[];
  readonly proposed: number;
  readonly crashes: number;
  readonly losses: number;
  readonly repetitions: number;
  readonly trace: Trace | null;
}

/** What led here, in words. */
export interface Trace {
  readonly before: Trace | null;
  readonly action: string;
}

/** The states that can follow each other, as the real core makes them. */
export class Worlds {
  readonly bounds: Bounds;
  readonly members: Members;
  readonly #renamings: readonly Renaming[];

  constructor(bounds: Bounds) {
    this.bounds = bounds;
    this.#renamings = renamings(bounds.members);
    this.members = new Members(this.#renamings);
  }

  initial(): World {
    const { members, terms } = this.bounds;
    return {
      members: Array.from({ length: members }, (_, at) => this.members.initial((at + 1) as NodeId)),
      messages: [],
      leaders: Array.from({ length: terms }, () => 0),
      committed: [],
      committedIn: [],
      proposed: 0,
      crashes: 0,
      losses: 0,
      repetitions: 0,
      trace: null,
    };
  }

  /**
   * The same for worlds that differ in the names of their members alone: such a world can do the same things, under
   * other names.
   */
  keyOf(world: World): string {
    let least: readonly number[] = [];
    let key = '';
    for (const [way, renaming] of this.#renamings.entries()) {
      const members: number[] = [];
      for (const { id, renamed: numbers } of world.members) {
        members[renamed(renaming, id) - 1] = numbers[way] as number;
      }
      const order = key === '' ? -1 : compare(members, least);
      if (order > 0) continue;
      const messages = this.#messagesOf(world, way);
      const leaders = world.leaders.map((id) => renamed(renaming, id));
      const text = `${members.join()};${messages.join()};${leaders.join()}`;
      if (order === 0 && text >= key) continue;
      least = members;
      key = text;
    }
    const { committedIn, proposed, crashes, losses, repetitions } = world;
    return `${key};${world.committed.join()};${committedIn.join()};${proposed}.${crashes}.${losses}.${repetitions}`;
  }

  /** Under a renaming: those of each way together. */
  #messagesOf({ messages }: World, way: number): readonly number[] {
    const known = messages.map((number) => this.members.message(number));
    if (this.bounds.order === 'streams') {
      known.sort((a, b) => (a.ways[way] as number) - (b.ways[way] as number));
      return known.map(({ renamed: numbers }) => numbers[way] as number);
    }
    return known.map(({ renamed: numbers }) => numbers[way] as number).sort((a, b) => a - b);
  }

  /** Everything that can happen next. Throws a `Violation` where that breaks an invariant. */
  *successors(world: World): Generator<World> {
    const { terms, entries, crashes } = this.bounds;
    for (const state of world.members) {
      if (state.role !== 'leader' && state.term < terms) {
        yield* this.#steps(world, state, 'campaign', { type: 'campaign' }, world.messages, {});
      }
      if (state.role === 'leader' && world.proposed < entries) {
        const proposed = world.proposed + 1;
        const input: Input = { type: 'propose', ref: proposed as Ref, payload: Uint8Array.of(proposed) };
        yield* this.#steps(world, state, `propose ${proposed}`, input, world.messages, { proposed });
      }
      if (world.crashes < crashes) {
        const next = this.members.restarted(state.id, state.disk);
        const rest = { crashes: world.crashes + 1 };
        yield this.#after(world, state, { next, sent: [] }, world.messages, rest, `crash ${state.id}`);
      }
    }
    yield* this.#messages(world);
  }

  *#messages(world: World): Generator<World> {
    const { losses, repetitions } = this.bounds;
    const done = new Set<number>();
    for (const [at, number] of world.messages.entries()) {
      const known = this.members.message(number);
      const same = this.bounds.order === 'streams' ? (known.ways[0] as number) : number;
      if (done.has(same)) continue;
      done.add(same);
      const without = world.messages.filter((_, other) => other !== at);
      const to = world.members[known.message.to - 1] as MemberState;
      yield* this.#steps(world, to, known.text, known.input, without, {});
      if (world.repetitions < repetitions) {
        const rest = { repetitions: world.repetitions + 1 };
        yield* this.#steps(world, to, `again ${known.text}`, known.input, world.messages, rest);
      }
      if (world.losses < losses) yield* this.#loss(world, known, without);
    }
  }

  /** Its sender hears of the loss: a leader then looks for what the follower has, and sends it again. */
  *#loss(world: World, { message, text }: KnownMessage, without: readonly number[]): Generator<World> {
    const from = world.members[message.from - 1] as MemberState;
    const input: Input = { type: 'unreachable', peer: message.to };
    yield* this.#steps(world, from, `lose ${text}`, input, without, { losses: world.losses + 1 });
  }

  *#steps(
    world: World,
    state: MemberState,
    action: string,
    input: Input,
    messages: readonly number[],
    rest: Partial<World>,
  ): Generator<World> {
    const name = nameOf(action, input);
    let transition: Transition;
    try {
      transition = this.members.transition(state, name, input);
    } catch (error) {
      // An assertion of the core itself.
      if (!(error instanceof Error)) throw error;
      const trace = { before: world.trace, action: `${state.id}: ${action}` };
      throw new ModelViolation(trace, new Violation('assertion', error.message));
    }
    yield this.#after(world, state, transition, messages, rest, `${state.id}: ${action}`, transition.applied);
    if (world.crashes >= this.bounds.crashes) return;
    for (const [at, crashed] of transition.crashed.entries()) {
      const when = at === 0 ? 'before its write is durable' : 'right after its write';
      const counted = { ...rest, crashes: world.crashes + 1 };
      yield this.#after(world, state, crashed, messages, counted, `${state.id}: ${action}, crash ${when}`);
    }
  }

  #after(
    world: World,
    state: MemberState,
    { next, sent }: Pick<Transition, 'next' | 'sent'>,
    messages: readonly number[],
    rest: Partial<World>,
    action: string,
    applied: readonly Entry[] | null = null,
  ): World {
    const members = world.members.map((member) => (member === state ? next : member));
    const leaders = [...world.leaders];
    if (next.role === 'leader' && state.role !== 'leader') {
      if (leaders[next.term - 1] === 0) leaders[next.term - 1] = next.id;
    }
    const committed = [...world.committed];
    const committedIn = [...world.committedIn];
    for (let index = committed.length; index < next.commit; index += 1) {
      committed.push(next.entries[index] ?? 'missing');
      committedIn.push(next.term);
    }
    const all = sent.length === 0 ? messages : [...messages, ...sent];
    const after: World = {
      ...world,
      ...rest,
      members,
      leaders,
      committed,
      committedIn,
      messages: [],
      trace: { before: world.trace, action },
    };
    const told: World = { ...after, messages: this.#waiting(all, members) };
    try {
      requireStep(world, state, next, applied);
      requireInvariants(told, next);
    } catch (error) {
      if (error instanceof Violation) throw new ModelViolation(told.trace, error);
      throw error;
    }
    return told;
  }

  #waiting(messages: readonly number[], members: readonly MemberState[]): readonly number[] {
    return messages.filter((number) => {
      const { message } = this.members.message(number);
      return mayMatter(message, members[message.to - 1] as MemberState);
    });
  }
}

/**
 * False for what can never mean anything again: terms of members do not go back, and the core drops requests and
 * answers of campaigns and leaderships that are over. (A refused vote may tell what is committed.)
 */
function mayMatter(message: PeerMessage, to: MemberState): boolean {
  const { type, term } = message;
  if (type === 'vote') return term >= to.term;
  if (type === 'append-response') return term > to.term || (term === to.term && to.role !== 'follower');
  if (type !== 'vote-response' || (!message.granted && message.commit > 0)) return true;
  return term > to.term || (term === to.term && to.role === 'candidate');
}

/** What is done to the member: a repeated message is the same to it. */
function nameOf(action: string, input: Input): string {
  if (input.type === 'unreachable') return `unreachable ${input.peer}`;
  return action.replace(/^again /, '');
}

/** An invariant does not hold, and how that came about. */
export class ModelViolation extends Error {
  readonly invariant: string;
  readonly steps: readonly string[];

  constructor(trace: Trace | null, violation: Violation) {
    const steps: string[] = [];
    for (let at = trace; at !== null; at = at.before) steps.push(at.action);
    steps.reverse();
    super(
      `${violation.invariant}: ${violation.message}, after:\n${steps.map((step, at) => `${at + 1}. ${step}`).join('\n')}`,
    );
    this.name = 'ModelViolation';
    this.invariant = violation.invariant;
    this.steps = steps;
  }
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [at, value] of a.entries()) {
    const other = b[at] as number;
    if (value !== other) return value - other;
  }
  return 0;
}
