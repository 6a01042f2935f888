import type { Violation } from '../violation.ts';
import { describeCall, describeEvents } from './describe.ts';
import { sameEvents } from './difference.ts';
import { GapMatching } from './gap-matching.ts';
import { Replay, type ReplayInput, type ReplayResult } from './replay.ts';
import type { EtcdEvent, RevisionEvents } from './requests.ts';

/**
 * The order of writes is known for sure: follows it, compares every answer, and finds for each revision the one
 * request that made it.
 */
export class PersistedReplay {
  readonly #input: ReplayInput;
  readonly #replay: Replay;
  readonly #matching = new GapMatching();
  readonly #violations: Violation[] = [];

  constructor(input: ReplayInput) {
    this.#input = input;
    this.#replay = new Replay(input);
  }

  run(persisted: readonly RevisionEvents[]): ReplayResult {
    let latest = this.#input.baseline.revision;
    this.#violations.push(...this.#replay.observe(latest));
    for (const { revision, events } of persisted) {
      if (this.#violations.length >= this.#input.maxViolations) break;
      if (revision !== latest + 1 || events.length === 0) this.#notDense(latest, revision);
      latest = revision;
      this.#explain(revision, events);
      this.#replay.apply(revision, events);
      this.#violations.push(...this.#replay.observe(revision));
    }
    if (this.#violations.length < this.#input.maxViolations) this.#compareEnd(latest);
    return {
      violations: this.#violations,
      revisions: this.#replay.revisions,
      explained: this.#matching.explained,
      exhausted: null,
    };
  }

  #explain(revision: number, events: readonly EtcdEvent[]): void {
    const writer = this.#input.sorted.writers.get(revision);
    if (writer === undefined) {
      const candidates = this.#replay.lostWritesFor(revision, (made) => sameEvents(made, events));
      const ids = candidates.map(({ lost }) => lost.call.id);
      if (!this.#matching.add(revision, ids)) this.#unexplained(revision, events);
      return;
    }
    const execution = this.#replay.tryOut(writer.request, revision);
    const wrong = this.#replay.wrongAnswer(writer, execution);
    if (wrong !== null) {
      this.#violations.push(wrong);
    } else if (execution !== null && !sameEvents(execution.events, events)) {
      const [makes, holds] = [describeEvents(execution.events), describeEvents(events)];
      const message = `revision ${revision} holds ${holds}, but ${describeCall(writer.call)} makes ${makes}`;
      this.#violations.push({ rule: 'revisions/persisted', message, calls: [writer.call.id] });
    }
  }

  #unexplained(revision: number, events: readonly EtcdEvent[]): void {
    // A call that was recorded as without effect and had one is a bug of its own: name it.
    const culprit = this.#input.failed.find(({ operation }) => {
      if (operation.type === 'compact') return false;
      const execution = this.#replay.tryOut(operation, revision);
      return execution !== null && sameEvents(execution.events, events);
    });
    const hint = culprit === undefined ? '' : `; it fits ${describeCall(culprit)}`;
    this.#violations.push({
      rule: 'revisions/unexplained',
      message: `revision ${revision} holds ${describeEvents(events)}, which no request accounts for${hint}`,
      calls: culprit === undefined ? [] : [culprit.id],
    });
  }

  #notDense(latest: number, revision: number): void {
    const message = `revision ${revision} follows revision ${latest} in the persisted order`;
    this.#violations.push({ rule: 'revisions/dense', message, calls: [] });
  }

  #compareEnd(end: number): void {
    const { writers, latest } = this.#input.sorted;
    const lost = [...writers.values()].filter(({ revision }) => revision > end);
    for (const { call } of lost) {
      const message = `${describeCall(call)} was acknowledged, but the store ends at revision ${end}`;
      this.#violations.push({ rule: 'revisions/lost-write', message, calls: [call.id] });
    }
    if (lost.length > 0 || latest <= end) return;
    const message = `an answer shows revision ${latest}, but the store ends at revision ${end}`;
    this.#violations.push({ rule: 'revisions/lost-write', message, calls: [] });
  }
}
