import { present } from '@flotilla/platform';
import type { Entry, Input, NodeId, PeerMessage } from '@flotilla/raft';
import type { CoreState } from '../../src/core/state.ts';
import { CoreRun, written } from './core-run.ts';
import { type Disk, diskText, entryText, messageText, type Renaming, renamed, stateText } from './texts.ts';

/** One state that a member can be in, known by its number. */
export interface MemberState {
  readonly number: number;
  readonly id: NodeId;
  readonly disk: Disk;
  readonly role: CoreState['role'];
  readonly term: number;
  readonly vote: number;
  readonly commit: number;
  readonly lastIndex: number;
  readonly applied: number;
  /** Of each entry on its disk. */
  readonly entries: readonly string[];
  /** A leader's belief of what each member has. */
  readonly matches: readonly (readonly [id: number, match: number])[];
  /** By renaming, the number of the state that this one is under it. */
  readonly renamed: readonly number[];
  /** How to make it: a disk to start from, and what was done since. */
  readonly start: Disk;
  readonly path: Path | null;
  /** By the input's text. */
  readonly transitions: Map<string, Transition>;
}

interface Path {
  readonly before: Path | null;
  readonly input: Input;
}

/** What one input does to a member that finishes all its work at once. */
export interface Transition {
  readonly next: MemberState;
  readonly sent: readonly number[];
  readonly applied: readonly Entry[];
  /** The member crashes in the middle: before its first write is durable, and right behind it. */
  readonly crashed: readonly { readonly next: MemberState; readonly sent: readonly number[] }[];
}

/** A message that was ever sent, known by its number. */
export interface KnownMessage {
  readonly number: number;
  readonly message: PeerMessage;
  readonly input: Input;
  readonly text: string;
  readonly renamed: readonly number[];
  /** By renaming, the way from its sender to its receiver. */
  readonly ways: readonly number[];
}

/**
 * Members of one group, each driven by the real core. A member's state is made once, and so is what an input does to
 * it: global states are many, states of members few. What is asked again is looked up; what is new is made by a core
 * that has done again all that led to its state.
 */
export class Members {
  readonly messages: KnownMessage[] = [];
  /** Distinct states of members that a core was in. */
  made = 0;
  readonly #renamings: readonly Renaming[];
  readonly #states = new Map<string, MemberState>();
  readonly #numbers = new Map<string, number>();
  readonly #messageNumbers = new Map<string, number>();
  readonly #known = new Map<string, KnownMessage>();

  constructor(renamings: readonly Renaming[]) {
    this.#renamings = renamings;
  }

  initial(id: NodeId): MemberState {
    return this.restarted(id, { term: 0, vote: 0, commit: 0, entries: [] });
  }

  /** After a crash: what the disk gives back. */
  restarted(id: NodeId, disk: Disk): MemberState {
    const run = new CoreRun(id, disk, membersOf(this.#renamings));
    return this.#intern(run, disk, null);
  }

  transition(state: MemberState, text: string, input: Input): Transition {
    const known = state.transitions.get(text);
    if (known !== undefined) return known;
    const run = this.#runTo(state);
    run.turn(input);
    const { disk } = state;
    const crashed: { next: MemberState; sent: readonly number[] }[] = [];
    if (run.firstWrite !== null) {
      const sent = run.firstSent.map((message) => this.#message(message));
      crashed.push({ next: this.restarted(state.id, disk), sent });
      crashed.push({ next: this.restarted(state.id, written(disk, run.firstWrite)), sent });
    }
    const made: Transition = {
      next: this.#intern(run, state.start, { before: state.path, input }),
      sent: run.sent.map((message) => this.#message(message)),
      applied: run.applied,
      crashed,
    };
    state.transitions.set(text, made);
    return made;
  }

  message(number: number): KnownMessage {
    return present(this.messages[number], 'a message');
  }

  #runTo(state: MemberState): CoreRun {
    const run = new CoreRun(state.id, state.start, membersOf(this.#renamings));
    const inputs: Input[] = [];
    for (let { path } = state; path !== null; path = path.before) inputs.push(path.input);
    for (const input of inputs.reverse()) run.turn(input);
    run.forget();
    return run;
  }

  #intern(run: CoreRun, start: Disk, path: Path | null): MemberState {
    const { id, state, disk } = run;
    const texts = this.#renamings.map(
      (renaming) =>
        `${renamed(renaming, id)}|${diskText(disk, renaming)}|${stateText(state, run.wins, renaming)}`,
    );
    const text = present(texts[0], 'its text');
    const known = this.#states.get(text);
    if (known !== undefined) return known;
    this.made += 1;
    const made: MemberState = {
      number: numberOf(this.#numbers, text),
      id,
      disk,
      role: state.role,
      term: state.term,
      vote: state.vote,
      commit: state.log.commit,
      lastIndex: state.log.last,
      applied: state.log.applied,
      entries: disk.entries.map(entryText),
      matches: [...state.progress].map(([member, { match }]) => [member, match] as const),
      renamed: texts.map((its) => numberOf(this.#numbers, its)),
      start,
      path,
      transitions: new Map(),
    };
    this.#states.set(text, made);
    return made;
  }

  #message(message: PeerMessage): number {
    const texts = this.#renamings.map((renaming) => messageText(message, renaming));
    const text = present(texts[0], 'its text');
    const known = this.#known.get(text);
    if (known !== undefined) return known.number;
    const numbers = texts.map((its) => numberOf(this.#messageNumbers, its));
    const number = present(numbers[0], 'its number');
    const { from, to } = message;
    const ways = this.#renamings.map((renaming) => renamed(renaming, from) * waysMax + renamed(renaming, to));
    const input = { type: 'receive' as const, message };
    const made: KnownMessage = { number, message, input, text, renamed: numbers, ways };
    this.#known.set(text, made);
    this.messages[number] = made;
    return number;
  }
}

function membersOf(renamings: readonly Renaming[]): number {
  return present(renamings[0], 'a renaming').length;
}

function numberOf(numbers: Map<string, number>, text: string): number {
  let number = numbers.get(text);
  if (number === undefined) {
    number = numbers.size;
    numbers.set(text, number);
  }
  return number;
}

/** A core with its disk, which does all that an input asks for before the next one comes. */

const waysMax = 16;
