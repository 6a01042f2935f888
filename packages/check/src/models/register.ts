import { hashText, type Model } from '../model.ts';

export type RegisterOperation =
  | { readonly type: 'read'; readonly key: string }
  | { readonly type: 'write'; readonly key: string; readonly value: string }
  | { readonly type: 'compare-and-swap'; readonly key: string; readonly from: string; readonly to: string };

export type RegisterResult =
  /** null: never written. */
  | { readonly type: 'read'; readonly value: string | null }
  | { readonly type: 'write' }
  /** False when the register holds another value or was never written. */
  | { readonly type: 'compare-and-swap'; readonly swapped: boolean };

/** Independent registers, one for each key: Maelstrom's `lin-kv` and Jepsen's `register`. */
export const registerModel: Model<string | null, RegisterOperation, RegisterResult> = {
  name: 'register',
  initial: null,
  partition: (operation) => operation.key,
  readOnly: (operation) => operation.type === 'read',
  equal: (a, b) => a === b,
  hash: (state) => (state === null ? 0 : hashText(state)),
  step(state, operation, result) {
    switch (operation.type) {
      case 'read':
        return result === null || (result.type === 'read' && result.value === state) ? state : undefined;
      case 'write':
        return result === null || result.type === 'write' ? operation.value : undefined;
      case 'compare-and-swap': {
        const swapped = state === operation.from;
        const possible =
          result === null || (result.type === 'compare-and-swap' && result.swapped === swapped);
        if (!possible) return undefined;
        return swapped ? operation.to : state;
      }
    }
  },
  describe(operation, result) {
    switch (operation.type) {
      case 'read':
        return `read -> ${result?.type === 'read' ? JSON.stringify(result.value) : '?'}`;
      case 'write':
        return `write ${JSON.stringify(operation.value)}${result === null ? ' -> ?' : ''}`;
      case 'compare-and-swap': {
        const swapped = result?.type === 'compare-and-swap' ? String(result.swapped) : '?';
        return `swap ${JSON.stringify(operation.from)} for ${JSON.stringify(operation.to)} -> ${swapped}`;
      }
    }
  },
  describeState: (state) => JSON.stringify(state),
};
