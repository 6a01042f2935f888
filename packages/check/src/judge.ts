import { unreachable } from './assert.ts';
import { drawPage } from './drawing/page.ts';
import { drawnPrefix, drawnViolation, type DrawnFinding } from './drawing/drawn-history.ts';
import { drawText } from './drawing/text.ts';
import { describeCall } from './etcd/describe.ts';
import { checkRevisions } from './etcd/revisions.ts';
import { checkWatches } from './etcd/watches.ts';
import { etcdFormat, revisionLine, storeLine, watchLine } from './files/etcd-format.ts';
import {
  type Fact,
  type HistoryFile,
  type HistoryFileOptions,
  type HistoryFormat,
  readHistoryFile,
} from './files/history-file.ts';
import {
  keyValueFormat,
  listAppendFormat,
  readWriteRegisterFormat,
  registerFormat,
} from './files/model-formats.ts';
import type { Shape } from './files/shape.ts';
import { HistoryError } from './history-error.ts';
import type { Call } from './history.ts';
import { limits } from './limits.ts';
import { checkLinearizability } from './linearizability.ts';
import type { Model } from './model.ts';
import { keyValueModel } from './models/key-value.ts';
import { registerModel } from './models/register.ts';
import { describeTransaction } from './transactions/describe-transaction.ts';
import { checkListAppend } from './transactions/list-append.ts';
import { checkReadWriteRegisters } from './transactions/read-write-registers.ts';
import { describeRegisters } from './transactions/register-words.ts';
import { describeVerdict, type Verdict } from './violation.ts';

/** What a history may be a history of. */
export const judgedModels = ['register', 'kv', 'etcd', 'list-append', 'rw-register'] as const;
export type JudgedModel = (typeof judgedModels)[number];

export interface JudgeOptions extends HistoryFileOptions {
  /** Of transactions: false asks for serializability alone. The other models are nothing without real time. */
  readonly realTime?: boolean;
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly calls: number;
  /** For people: the verdict, and each finding drawn in plain text. */
  text(): string;
  /** The same as a self-contained HTML page. */
  page(title: string): string;
}

/**
 * Judges a history in a file: one JSON object a line, written in any language (the README has the format). Throws a
 * `HistoryError` when it cannot be judged.
 *
 * @example
 * const { verdict, text } = judgeHistory('register', readFileSync('history.ndjson', 'utf8'));
 * if (verdict.outcome !== 'ok') console.log(text());
 */
export function judgeHistory(model: JudgedModel, text: string, options: JudgeOptions = {}): Judgement {
  switch (model) {
    case 'register':
      return judgeByModel(registerModel, registerFormat, text, options);
    case 'kv':
      return judgeByModel(keyValueModel, keyValueFormat, text, options);
    case 'etcd':
      return judgeEtcd(text, options);
    case 'list-append': {
      const file = readHistoryFile(text, listAppendFormat, options);
      return judgeTransactions(file, (calls) => checkListAppend(calls, options).verdict, describeTransaction);
    }
    case 'rw-register': {
      const file = readHistoryFile(text, readWriteRegisterFormat, options);
      return judgeTransactions(
        file,
        (calls) => checkReadWriteRegisters(calls, options).verdict,
        describeRegisters,
      );
    }
    default:
      return unreachable(model);
  }
}

function judgeByModel<State, Operation, Result>(
  model: Model<State, Operation, Result>,
  format: HistoryFormat<Operation, Result>,
  text: string,
  options: HistoryFileOptions,
): Judgement {
  const { calls } = readHistoryFile(text, format, options);
  const { verdict, failures } = checkLinearizability(model, calls);
  return judgement(verdict, calls.length, () =>
    failures.slice(0, limits.drawnFindings).map((failure) => drawnPrefix(model, calls, failure)),
  );
}

function judgeTransactions<Operation, Result>(
  { calls, lines }: HistoryFile<Operation, Result>,
  check: (calls: readonly Call<Operation, Result>[]) => Verdict,
  describe: (call: Call<Operation, Result>) => string,
): Judgement {
  let verdict: Verdict;
  try {
    verdict = check(calls);
  } catch (error) {
    if (!(error instanceof HistoryError) || error.call === null) throw error;
    throw new HistoryError(error.code, `is useless: ${error.message}`, { line: lines[error.call] ?? 0 });
  }
  return judgement(verdict, calls.length, () => violationsOf(verdict, calls, describe));
}

/** The revision checker, and the watches by what it found to be the truth. */
function judgeEtcd(text: string, options: HistoryFileOptions): Judgement {
  const facts = ['store', 'revision', 'watch'];
  const file = readHistoryFile(text, etcdFormat, { ...options, facts });
  const { calls } = file;
  const store = factsOf(file.facts, 'store', storeLine)[0] ?? { revision: 1, kvs: [], compactRevision: 0 };
  const persisted = factsOf(file.facts, 'revision', revisionLine);
  const baseline = { revision: store.revision, kvs: store.kvs };
  const checked = checkRevisions(calls, persisted.length > 0 ? { baseline, persisted } : { baseline });
  let { verdict } = checked;
  if (verdict.outcome === 'ok') {
    verdict = checkWatches(factsOf(file.facts, 'watch', watchLine), checked.revisions, {
      baseline: store.kvs,
      compactRevision: store.compactRevision,
    });
  }
  return judgement(verdict, calls.length, () => violationsOf(verdict, calls, describeCall));
}

function factsOf<T>(facts: readonly Fact[], type: string, shape: Shape<T>): T[] {
  const found: T[] = [];
  for (const { type: own, line, value } of facts) {
    if (own !== type) continue;
    const { type: _type, ...fields } = value;
    try {
      found.push(shape(fields, type));
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      throw new HistoryError('FLOTILLA_HISTORY_OPERATION', what, { line });
    }
  }
  return found;
}

function violationsOf<Operation, Result>(
  verdict: Verdict,
  calls: readonly Call<Operation, Result>[],
  describe: (call: Call<Operation, Result>) => string,
): readonly DrawnFinding[] {
  if (verdict.outcome !== 'illegal') return [];
  const drawn = verdict.violations.slice(0, limits.drawnFindings);
  return drawn.map((violation) => drawnViolation(violation, calls, describe));
}

function judgement(verdict: Verdict, calls: number, draw: () => readonly DrawnFinding[]): Judgement {
  return {
    verdict,
    calls,
    text: () => [describeVerdict(verdict), ...draw().map(drawText)].join('\n\n'),
    page: (title) => {
      const findings = draw();
      const told = findings.length > 0 ? '' : `: ${describeVerdict(verdict)}`;
      const text = `${calls} calls${told}`;
      return drawPage({ title, outcome: verdict.outcome, text }, findings);
    },
  };
}
