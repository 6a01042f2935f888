import { messageOf } from '@flotilla/platform';
import type { FaultRecord } from '../fault-log.ts';
import { limits } from '../limits.ts';
import type { RunResult } from '../scenario.ts';
import { BoundedList } from './bounded-list.ts';
import type {
  CutSpan,
  LifeEnding,
  LifeSpan,
  LineRecord,
  MarkRecord,
  MessageRecord,
  NodeState,
  OperationRecord,
  PauseSpan,
  StateRecord,
  SyncRecord,
  TimerRecord,
  Trace,
} from './trace.ts';

/** A call of a history, such as `History` of `@flotilla/check` keeps it, with a clock that counts events. */
export interface RecordedCall<Operation, Result> {
  readonly id: number;
  readonly client: number;
  readonly operation: Operation;
  readonly calledAt: number;
  readonly outcome:
    | { readonly type: 'returned'; readonly at: number; readonly result: Result }
    | { readonly type: 'failed'; readonly at: number; readonly reason: string }
    | { readonly type: 'unknown'; readonly reason: string };
}

/**
 * Writes down what a run does. A world that is made while one waits (`runScenario` with `recorder`) takes it; without
 * one nothing is written down and nothing is spent on it. It looks and changes nothing: a run with it has the trace
 * hash of the run without.
 *
 * @example
 * const recorder = new Recorder();
 * const result = await runScenario(scenario, replayedTape(lanes), { recorder });
 * writeFileSync('report.html', renderReport({ trace: recorder.trace(result), … }));
 */
export class Recorder {
  /** After so many events the run is ended, with a violation that says so; null: never. */
  readonly untilEvent: number | null;
  /** The simulated time, as the world that took this recorder has it. */
  now: () => number = () => 0;
  readonly #nodes: string[] = [];
  readonly #lives = new BoundedList<LifeSpan>(limits.recordedSpansMax);
  readonly #pauses = new BoundedList<PauseSpan>(limits.recordedSpansMax);
  readonly #cuts = new BoundedList<CutSpan>(limits.recordedSpansMax);
  readonly #messages = new BoundedList<MessageRecord>(limits.recordedMessagesMax);
  readonly #syncs = new BoundedList<SyncRecord>(limits.recordedSyncsMax);
  readonly #timers = new BoundedList<TimerRecord>(limits.recordedTimersMax);
  readonly #lines = new BoundedList<LineRecord>(limits.recordedLinesMax);
  readonly #states = new BoundedList<StateRecord>(limits.recordedStatesMax);
  readonly #operations = new BoundedList<OperationRecord>(limits.recordedOperationsMax);
  readonly #marks = new BoundedList<MarkRecord>(limits.recordedSpansMax);
  readonly #describes = new Map<string, () => NodeState | null>();
  readonly #lastStates = new Map<string, string>();
  readonly #openLives = new Map<string, LifeSpan>();
  readonly #openPauses = new Map<string, PauseSpan>();
  readonly #openCuts = new Map<string, CutSpan>();
  readonly #met = new Set<string>();
  /** The time of each event, because histories count events. */
  readonly #eventTimes: number[] = [0];

  constructor(options: { readonly untilEvent?: number } = {}) {
    this.untilEvent = options.untilEvent ?? null;
  }

  node(name: string): void {
    this.#nodes.push(name);
  }

  lifeStarted(node: string, number: number): void {
    const life: LifeSpan = { node, number, fromMs: this.now(), toMs: null, ending: null };
    this.#openLives.set(node, life);
    this.#lives.push(life);
  }

  lifeEnded(node: string, ending: LifeEnding): void {
    this.resumed(node);
    const life = this.#openLives.get(node);
    if (life === undefined) return;
    life.toMs = this.now();
    life.ending = ending;
    this.#openLives.delete(node);
    this.#lastStates.delete(node);
  }

  paused(node: string): void {
    if (this.#openPauses.has(node)) return;
    const pause: PauseSpan = { node, fromMs: this.now(), toMs: null };
    this.#openPauses.set(node, pause);
    this.#pauses.push(pause);
  }

  resumed(node: string): void {
    const pause = this.#openPauses.get(node);
    if (pause === undefined) return;
    pause.toMs = this.now();
    this.#openPauses.delete(node);
  }

  linkCut(from: string, to: string): void {
    const key = `${from} ${to}`;
    if (this.#openCuts.has(key)) return;
    const cut: CutSpan = { from, to, fromMs: this.now(), toMs: null };
    this.#openCuts.set(key, cut);
    this.#cuts.push(cut);
  }

  linkRestored(from: string, to: string): void {
    const key = `${from} ${to}`;
    const cut = this.#openCuts.get(key);
    if (cut === undefined) return;
    cut.toMs = this.now();
    this.#openCuts.delete(key);
  }

  /** Answers the record, in which its arrival is to be noted. */
  sent(message: Omit<MessageRecord, 'arrivedMs' | 'sentMs' | 'splitAtBytes'>): MessageRecord {
    const record: MessageRecord = { ...message, sentMs: this.now(), arrivedMs: null, splitAtBytes: null };
    this.#messages.push(record);
    return record;
  }

  syncStarted(node: string, what: string): SyncRecord {
    const record = { node, what, fromMs: this.now(), toMs: null, failed: false };
    this.#syncs.push(record);
    return record;
  }

  timerFired(node: string, label: string): void {
    this.#timers.push({ node, timeMs: this.now(), label });
  }

  line(node: string, level: string, text: string): void {
    this.#lines.push({ node, timeMs: this.now(), level, text });
  }

  mark(text: string): void {
    this.#marks.push({ timeMs: this.now(), text });
  }

  /** A situation that runs should meet: noted the first time. */
  met(text: string): void {
    if (this.#met.has(text)) return;
    this.#met.add(text);
    this.mark(text);
  }

  /** From now on `describe` is asked what `node` is, after each of its events; null: it is nothing yet. */
  describe(node: string, describe: () => NodeState | null): void {
    this.#describes.set(node, describe);
  }

  operation(operation: OperationRecord): void {
    this.#operations.push(operation);
  }

  /** The calls of a history whose clock counts the world's events. */
  history<Operation, Result>(
    calls: readonly RecordedCall<Operation, Result>[],
    words: {
      readonly client: (number: number) => string;
      readonly call: (operation: Operation) => string;
      readonly result: (result: Result, operation: Operation) => string;
    },
  ): void {
    for (const { id, client, operation, calledAt, outcome } of calls) {
      this.operation({
        id,
        client: words.client(client),
        calledMs: this.#timeOf(calledAt),
        endedMs: outcome.type === 'unknown' ? null : this.#timeOf(outcome.at),
        outcome: outcome.type,
        call: words.call(operation),
        result: outcome.type === 'returned' ? words.result(outcome.result, operation) : outcome.reason,
      });
    }
  }

  /** An event of `node`, or of the world, has happened with all that it caused. False: it is to be the last one. */
  eventHappened(node: string | null): boolean {
    this.#eventTimes.push(this.now());
    const goesOn = this.untilEvent === null || this.#eventTimes.length <= this.untilEvent;
    if (node === null) return goesOn;
    const describe = this.#describes.get(node);
    if (describe !== undefined && this.#openLives.has(node)) this.#noteState(node, describe);
    return goesOn;
  }

  /** Everything, when the run is over. */
  trace(result: RunResult): Trace {
    const byCall = (a: OperationRecord, b: OperationRecord): number => a.calledMs - b.calledMs || a.id - b.id;
    const lists = {
      lives: this.#lives,
      pauses: this.#pauses,
      cuts: this.#cuts,
      messages: this.#messages,
      syncs: this.#syncs,
      timers: this.#timers,
      lines: this.#lines,
      states: this.#states,
      operations: this.#operations,
      marks: this.#marks,
    };
    const leftOut = Object.entries(lists).flatMap(([name, list]) =>
      list.leftOut === 0 ? [] : [[name, list.leftOut] as const],
    );
    return {
      endMs: result.simulatedMs,
      nodes: this.#nodes,
      lives: this.#lives.items,
      pauses: this.#pauses.items,
      cuts: this.#cuts.items,
      messages: this.#messages.items,
      syncs: this.#syncs.items,
      timers: this.#timers.items,
      lines: this.#lines.items,
      states: this.#states.items,
      operations: [...this.#operations.items].sort(byCall),
      marks: this.#marks.items,
      faults: inTimeOrder(result.faults),
      violation: result.violation,
      leftOut: Object.fromEntries(leftOut),
    };
  }

  #noteState(node: string, describe: () => NodeState | null): void {
    let state: NodeState | null;
    try {
      state = describe();
    } catch (cause) {
      // Describing a node that is half started or broken must not change the run.
      state = { error: messageOf(cause) };
    }
    if (state === null) return;
    const text = JSON.stringify(state);
    if (this.#lastStates.get(node) === text) return;
    this.#lastStates.set(node, text);
    this.#states.push({ node, timeMs: this.now(), state });
  }

  #timeOf(event: number): number {
    return this.#eventTimes[Math.min(Math.max(Math.ceil(event), 0), this.#eventTimes.length - 1)] ?? 0;
  }
}

function inTimeOrder(faults: readonly FaultRecord[]): FaultRecord[] {
  return [...faults].sort((a, b) => a.timeMs - b.timeMs);
}
