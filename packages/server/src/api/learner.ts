import { etcdErrors, KV, Maintenance, type Method, RangeRequest, type StreamMethod } from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';

/**
 * What a learner answers, as etcd's interceptors have it: serializable ranges, its own status, and snapshots. It may be
 * far behind, and clients that balance over all endpoints should notice.
 */
export function unlessLearner(backend: Backend, methods: readonly Method[]): Method[] {
  return methods.map((method): Method => {
    if (
      method.path === Maintenance.methods.Status.path ||
      method.path === Maintenance.methods.Snapshot.path
    ) {
      return method;
    }
    if (method.kind !== 'unary') {
      const refusing: StreamMethod = {
        ...method,
        handle: (stream) => (backend.isLearner ? Promise.reject(refusal) : method.handle(stream)),
      };
      return refusing;
    }
    const isServed = method.path === KV.methods.Range.path ? isSerializable : never;
    return {
      ...method,
      handle: (request, call) => {
        if (backend.isLearner && !isServed(request)) throw refusal;
        return method.handle(request, call);
      },
    };
  });
}

const refusal = etcdErrors.notSupportedForLearner;

function isSerializable(request: Uint8Array): boolean {
  return RangeRequest.decode(request).serializable;
}

function never(): boolean {
  return false;
}
