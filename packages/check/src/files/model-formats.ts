import type { KeyValueOperation, KeyValueResult } from '../models/key-value.ts';
import type { RegisterOperation, RegisterResult } from '../models/register.ts';
import type { ListOperation, ListResult, ListTransaction } from '../transactions/list-append.ts';
import type {
  RegisterAnswer,
  RegisterRead,
  RegisterStep,
  RegisterTransaction,
} from '../transactions/read-write-registers.ts';
import type { HistoryFormat } from './history-file.ts';
import { isRecord } from './json-values.ts';
import {
  flag,
  list,
  nullable,
  oneOf,
  record,
  type Shape,
  text,
  variants,
  whole,
  withDefault,
} from './shape.ts';

/** Operations on registers: `read`, `write`, `compare-and-swap`. */
export const registerFormat = typedFormat<RegisterOperation, RegisterResult>(
  variants<RegisterOperation>({
    read: { key: text },
    write: { key: text, value: text },
    'compare-and-swap': { key: text, from: text, to: text },
  }),
  variants<RegisterResult>({
    read: { value: nullable(text) },
    write: {},
    'compare-and-swap': { swapped: flag },
  }),
);

/** Operations on keys: `get`, `put`, `append`, `delete`, `compare-and-swap`, `versioned-put`. */
export const keyValueFormat = typedFormat<KeyValueOperation, KeyValueResult>(
  variants<KeyValueOperation>({
    get: { key: text },
    put: { key: text, value: text },
    append: { key: text, value: text },
    delete: { key: text },
    'compare-and-swap': { key: text, from: nullable(text), to: text },
    'versioned-put': { key: text, value: text, version: whole },
  }),
  variants<KeyValueResult>({
    get: { value: nullable(text), version: nullable(whole) },
    put: {},
    append: {},
    delete: { deleted: flag },
    'compare-and-swap': { swapped: flag },
    'versioned-put': { status: oneOf('ok', 'version-mismatch', 'no-key') },
  }),
);

const listTransaction = list(
  variants<ListOperation>({ append: { key: text, element: whole }, read: { key: text } }),
);
const listAnswers: Shape<ListResult> = list(nullable(list(whole)));

/** Transactions on lists: `append` and `read`. */
export const listAppendFormat: HistoryFormat<ListTransaction, ListResult> = {
  operation: (value) => listTransaction(value, 'operation'),
  result(value, operation) {
    const answers = listAnswers(value, 'result');
    requireAnswers(operation, answers, (step) => step.type === 'read');
    return answers;
  },
};

const registerTransaction = list(
  variants<RegisterStep>({
    read: { key: text, inRange: withDefault(flag, false) },
    expect: { key: text, version: whole, inRange: withDefault(flag, false) },
    write: { key: text, value: text },
  }),
);
const registerAnswer = record<RegisterAnswer>({
  version: nullable(whole),
  reads: list(nullable(record<RegisterRead>({ version: whole, value: nullable(text) }))),
});

/** Transactions on registers with versions: `read`, `expect`, `write`. */
export const readWriteRegisterFormat: HistoryFormat<RegisterTransaction, RegisterAnswer> = {
  operation: (value) => registerTransaction(value, 'operation'),
  result(value, operation) {
    const answer = registerAnswer(value, 'result');
    requireAnswers(operation, answer.reads, (step) => step.type === 'read');
    return answer;
  },
};

/** Answers carry the type of their operation, or none: then it is taken from there. */
function typedFormat<Operation extends { readonly type: string }, Result extends { readonly type: string }>(
  operation: Shape<Operation>,
  result: Shape<Result>,
): HistoryFormat<Operation, Result> {
  return {
    operation: (value) => operation(value, 'operation'),
    result(value, { type }) {
      const answer = result(withType(value, type), 'result');
      if (answer.type !== type) throw new Error(`answers ${answer.type} to ${type}`);
      return answer;
    },
  };
}

function withType(value: unknown, type: string): unknown {
  if (value === undefined || value === null) return { type };
  return isRecord(value) && value['type'] === undefined ? { ...value, type } : value;
}

function requireAnswers<Step>(
  steps: readonly Step[],
  answers: readonly unknown[],
  isRead: (step: Step) => boolean,
): void {
  if (steps.length !== answers.length) {
    throw new Error(`has ${steps.length} operations and ${answers.length} answers`);
  }
  for (const [at, step] of steps.entries()) {
    if (isRead(step) && answers[at] === null)
      throw new Error(`has no answer to operation ${at}, which reads`);
  }
}
