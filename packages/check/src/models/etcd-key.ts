import { hashText, type Model } from '../model.ts';

/** What single-key requests of etcd do to their key. A transaction is a guard with a branch for each answer. */
export type EtcdKeyOperation =
  | { readonly type: 'get'; readonly key: string }
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'delete'; readonly key: string }
  /** Puts `value` when the key was last modified at `modRevision` (0: is absent), and gets it otherwise. */
  | {
      readonly type: 'guarded-put';
      readonly key: string;
      readonly value: string;
      readonly modRevision: number;
    };

/** `revision` is the one of the response's header: the store's at that time, or the one that the write made. */
export type EtcdKeyResult =
  | { readonly type: 'get'; readonly revision: number; readonly found: FoundKey | null }
  | { readonly type: 'put'; readonly revision: number }
  | { readonly type: 'delete'; readonly revision: number; readonly deleted: boolean }
  | { readonly type: 'guarded-put'; readonly revision: number; readonly succeeded: true }
  | {
      readonly type: 'guarded-put';
      readonly revision: number;
      readonly succeeded: false;
      readonly found: FoundKey | null;
    };

export interface FoundKey {
  readonly value: string;
  readonly version: number;
  readonly modRevision: number;
}

export interface EtcdKeyState {
  /** null: absent. */
  readonly value: string | null;
  readonly version: number;
  /** Null after a write whose answer was lost: the next answer about the key binds it. */
  readonly modRevision: number | null;
  /** The latest revision that this key's answers have shown. */
  readonly revision: number;
}

/**
 * One key of etcd with its version and modification revision. Knows nothing of other keys: a second opinion on the
 * revision checker, which sees all of them and needs no search.
 */
export const etcdKeyModel: Model<EtcdKeyState, EtcdKeyOperation, EtcdKeyResult> = {
  name: 'etcd-key',
  initial: { value: null, version: 0, modRevision: 0, revision: 0 },
  partition: (operation) => operation.key,
  readOnly: (operation) => operation.type === 'get',
  equal: (a, b) =>
    a.value === b.value &&
    a.version === b.version &&
    a.modRevision === b.modRevision &&
    a.revision === b.revision,
  hash: (state) =>
    hashText(
      state.value ?? '',
      Math.imul(state.version, 31) ^ Math.imul(state.modRevision ?? -1, 0x9e3779b1),
    ),
  step(state, operation, result) {
    if (result !== null && (result.type !== operation.type || result.revision < state.revision)) {
      return undefined;
    }
    switch (operation.type) {
      case 'get':
        return result === null ? state : observed(state, result.revision, found(result));
      case 'put':
        return write(state, operation.value, result);
      case 'delete':
        return remove(state, result);
      case 'guarded-put':
        return guardedPut(state, operation, result);
    }
  },
  describe(operation, result) {
    const { type, key: _key, ...details } = operation;
    const { type: _type, ...answer } = result ?? { type };
    return `${type} ${JSON.stringify(details)} -> ${result === null ? '?' : JSON.stringify(answer)}`;
  },
  describeState: (state) => JSON.stringify(state),
};

function found(result: EtcdKeyResult): FoundKey | null {
  return 'found' in result ? result.found : null;
}

/** The state after an answer that showed the key as `seen`, or undefined when it was otherwise. */
function observed(state: EtcdKeyState, revision: number, seen: FoundKey | null): EtcdKeyState | undefined {
  if (state.value === null || seen === null) {
    return state.value === null && seen === null ? { ...state, revision } : undefined;
  }
  if (seen.value !== state.value || seen.version !== state.version || seen.modRevision > revision) {
    return undefined;
  }
  // A lost write was given its revision after all that was seen of the key before it.
  const bound = state.modRevision === null ? seen.modRevision > state.revision : true;
  const agrees = state.modRevision === null || state.modRevision === seen.modRevision;
  return bound && agrees ? { ...state, modRevision: seen.modRevision, revision } : undefined;
}

function write(state: EtcdKeyState, value: string, result: EtcdKeyResult | null): EtcdKeyState | undefined {
  const version = state.version + 1;
  if (result === null) return { value, version, modRevision: null, revision: state.revision };
  if (result.revision <= state.revision) return undefined;
  return { value, version, modRevision: result.revision, revision: result.revision };
}

function remove(state: EtcdKeyState, result: EtcdKeyResult | null): EtcdKeyState | undefined {
  const revision = result?.revision ?? state.revision;
  const deletes = state.value !== null;
  if (result !== null) {
    if (result.type !== 'delete' || result.deleted !== deletes) return undefined;
    if (deletes && revision <= state.revision) return undefined;
  }
  return { value: null, version: 0, modRevision: 0, revision };
}

function guardedPut(
  state: EtcdKeyState,
  operation: EtcdKeyOperation & { readonly type: 'guarded-put' },
  result: EtcdKeyResult | null,
): EtcdKeyState | undefined {
  // After a lost write the guard may have guessed its revision, or learned it from a read of many keys at once.
  const bindable = state.modRevision === null && operation.modRevision > state.revision;
  const mayHold = state.modRevision === operation.modRevision || bindable;
  const mayFail = state.modRevision !== operation.modRevision;
  // Lost and without effect is the same as not being placed at all: here it holds whenever it can.
  if (result === null) return mayHold ? write(state, operation.value, null) : state;
  if (result.type !== 'guarded-put') return undefined;
  if (result.succeeded) return mayHold ? write(state, operation.value, result) : undefined;
  const refuted = (result.found?.modRevision ?? 0) !== operation.modRevision;
  return mayFail && refuted ? observed(state, result.revision, result.found) : undefined;
}
