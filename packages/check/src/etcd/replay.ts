import type { Violation } from '../violation.ts';
import { describeCall } from './describe.ts';
import { answerDifference, difference } from './difference.ts';
import type { Evidence, LostWrite, SortedCalls, Writer } from './etcd-history.ts';
import { execute, type Execution } from './execute.ts';
import { KeySpace } from './key-space.ts';
import type { Floor } from './real-time.ts';
import type { EtcdCall, EtcdEvent, KeyValue, RevisionEvents, TxnOperation } from './requests.ts';

export interface ReplayInput {
  readonly baseline: { readonly revision: number; readonly kvs: readonly KeyValue[] };
  readonly sorted: SortedCalls;
  readonly floors: ReadonlyMap<number, Floor>;
  readonly evidence: ReadonlyMap<number, ReadonlyMap<string, Evidence>>;
  readonly names: ReadonlySet<string>;
  /** Calls that, as recorded, had no effect. */
  readonly failed: readonly EtcdCall[];
  readonly maxSteps: number;
  readonly maxViolations: number;
}

/** What a replay found out. */
export interface ReplayResult {
  readonly violations: readonly Violation[];
  readonly revisions: readonly RevisionEvents[];
  /** Lost calls that took effect: call id to revision. */
  readonly explained: ReadonlyMap<number, number>;
  /** Why the search for lost writes gave up, or null. */
  readonly exhausted: string | null;
}

/** The state while the writes of a history are executed in the order of their revisions. */
export class Replay {
  readonly #input: ReplayInput;
  readonly #space: KeySpace;
  readonly #revisions: RevisionEvents[] = [];

  constructor(input: ReplayInput) {
    this.#input = input;
    this.#space = new KeySpace([...input.names, ...input.baseline.kvs.map((kv) => kv.key)]);
    for (const kv of input.baseline.kvs) this.#space.put(kv);
  }

  get revisions(): readonly RevisionEvents[] {
    return this.#revisions;
  }

  /** A mark for {@link undo}. */
  mark(): ReplayMark {
    return { space: this.#space.mark(), revisions: this.#revisions.length };
  }

  undo(mark: ReplayMark): void {
    this.#space.undo(mark.space);
    this.#revisions.length = mark.revisions;
  }

  apply(revision: number, events: readonly EtcdEvent[]): void {
    this.#space.apply(events);
    this.#revisions.push({ revision, events });
  }

  /** What a request would do at `revision`, or null when it would be refused. Changes nothing. */
  tryOut(request: TxnOperation, revision: number): Execution | null {
    const mark = this.#space.mark();
    const execution = execute(this.#space, request, revision);
    this.#space.undo(mark);
    return execution;
  }

  /** How the answer of an acknowledged write differs from what it does in this state, or null. */
  wrongAnswer({ call, request, result }: Writer, execution: Execution | null): Violation | null {
    const wrong =
      execution === null
        ? 'the request is impossible in this state'
        : difference(request, execution.result, result);
    return wrong === null ? null : wrongAnswer(call, wrong);
  }

  /** The reads of `revision` that disagree with the state. */
  observe(revision: number): Violation[] {
    const violations: Violation[] = [];
    for (const { call, request, result } of this.#input.sorted.observations.get(revision) ?? []) {
      const execution = this.tryOut(request, revision);
      const wrong =
        execution === null
          ? 'the request is impossible in this state'
          : answerDifference(request, execution.result, result);
      if (wrong !== null) violations.push(wrongAnswer(call, wrong));
    }
    return violations;
  }

  /** Lost writes that were asked for before `revision` was known and that make events which `fits` accepts. */
  lostWritesFor(revision: number, fits: (events: readonly EtcdEvent[]) => boolean): Candidate[] {
    const candidates: Candidate[] = [];
    for (const lost of this.#input.sorted.lost) {
      // Somebody saw this revision or a later one before the lost write was even asked for.
      if ((this.#input.floors.get(lost.call.id)?.revision ?? 0) >= revision) continue;
      const execution = this.tryOut(lost.request, revision);
      if (execution === null || execution.events.length === 0 || !fits(execution.events)) continue;
      candidates.push({ lost, events: execution.events });
    }
    return candidates;
  }
}

export interface ReplayMark {
  readonly space: number;
  readonly revisions: number;
}

export interface Candidate {
  readonly lost: LostWrite;
  readonly events: readonly EtcdEvent[];
}

function wrongAnswer(call: EtcdCall, wrong: string): Violation {
  return { rule: 'revisions/answer', message: `${wrong}: ${describeCall(call)}`, calls: [call.id] };
}
