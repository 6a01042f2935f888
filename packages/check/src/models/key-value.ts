import { hashText, type Model } from '../model.ts';

export type KeyValueOperation =
  | { readonly type: 'get'; readonly key: string }
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'append'; readonly key: string; readonly value: string }
  | { readonly type: 'delete'; readonly key: string }
  | {
      readonly type: 'compare-and-swap';
      readonly key: string;
      readonly from: string | null;
      readonly to: string;
    }
  /** Writes only when `version` is the key's; 0 creates. As in MIT's 6.5840 since 2025. */
  | {
      readonly type: 'versioned-put';
      readonly key: string;
      readonly value: string;
      readonly version: number;
    };

export type KeyValueResult =
  /** `version` null: the store under test does not tell versions. */
  | { readonly type: 'get'; readonly value: string | null; readonly version: number | null }
  | { readonly type: 'put' }
  | { readonly type: 'append' }
  | { readonly type: 'delete'; readonly deleted: boolean }
  | { readonly type: 'compare-and-swap'; readonly swapped: boolean }
  | { readonly type: 'versioned-put'; readonly status: 'ok' | 'version-mismatch' | 'no-key' };

/** `version` counts the writes since the key was created; an absent key has version 0. */
export interface KeyValueState {
  readonly value: string | null;
  readonly version: number;
}

const absent: KeyValueState = { value: null, version: 0 };

/** Independent keys with a value and a version. */
export const keyValueModel: Model<KeyValueState, KeyValueOperation, KeyValueResult> = {
  name: 'key-value',
  initial: absent,
  partition: (operation) => operation.key,
  readOnly: (operation) => operation.type === 'get',
  equal: (a, b) => a.value === b.value && a.version === b.version,
  hash: (state) => (state.value === null ? 0 : hashText(state.value, state.version)),
  step(state, operation, result) {
    if (result !== null && result.type !== operation.type) return undefined;
    const after = apply(state, operation);
    return result === null || agrees(after.result, result) ? after.state : undefined;
  },
  describe(operation, result) {
    const { type, key: _key, ...details } = operation;
    const { type: _type, ...answer } = result ?? { type };
    return `${type} ${JSON.stringify(details)} -> ${result === null ? '?' : JSON.stringify(answer)}`;
  },
  describeState: (state) => JSON.stringify(state),
};

function apply(
  state: KeyValueState,
  operation: KeyValueOperation,
): { readonly state: KeyValueState; readonly result: KeyValueResult } {
  switch (operation.type) {
    case 'get':
      return { state, result: { type: 'get', value: state.value, version: state.version } };
    case 'put':
      return { state: written(state, operation.value), result: { type: 'put' } };
    case 'append':
      return { state: written(state, (state.value ?? '') + operation.value), result: { type: 'append' } };
    case 'delete':
      return { state: absent, result: { type: 'delete', deleted: state.value !== null } };
    case 'compare-and-swap': {
      const swapped = state.value === operation.from;
      const next = swapped ? written(state, operation.to) : state;
      return { state: next, result: { type: 'compare-and-swap', swapped } };
    }
    case 'versioned-put': {
      if (state.version === operation.version) {
        return {
          state: written(state, operation.value),
          result: { type: 'versioned-put', status: 'ok' },
        };
      }
      const status = state.value === null ? 'no-key' : 'version-mismatch';
      return { state, result: { type: 'versioned-put', status } };
    }
  }
}

function written(state: KeyValueState, value: string): KeyValueState {
  return { value, version: state.version + 1 };
}

function agrees(expected: KeyValueResult, actual: KeyValueResult): boolean {
  switch (expected.type) {
    case 'get':
      return (
        actual.type === 'get' &&
        actual.value === expected.value &&
        (actual.version === null || actual.version === expected.version)
      );
    case 'put':
    case 'append':
      return true;
    case 'delete':
      return actual.type === 'delete' && actual.deleted === expected.deleted;
    case 'compare-and-swap':
      return actual.type === 'compare-and-swap' && actual.swapped === expected.swapped;
    case 'versioned-put':
      return actual.type === 'versioned-put' && actual.status === expected.status;
  }
}
