import { RpcError } from '@flotilla/wire';
import type { RangeResponse, ResponseOp } from '@flotilla/wire';
import type { ApplyResult } from '../src/apply-result.ts';
import { toModelVersion } from './model.ts';

/** A result in the model's shape, to be compared with `toEqual`. */
export function plainResult(result: ApplyResult): unknown {
  switch (result.kind) {
    case 'put':
      return plainOperation({ response: { case: 'responsePut', value: result.response } });
    case 'delete-range':
      return plainOperation({ response: { case: 'responseDeleteRange', value: result.response } });
    case 'txn':
      return plainOperation({ response: { case: 'responseTxn', value: result.response } });
    case 'compact':
      return { revision: result.response.header!.revision };
    case 'error':
      return { error: result.error.message };
    case 'none':
      return null;
    case 'order':
      return result.effects;
    case 'lease-grant':
    case 'lease-revoke':
    case 'lease-renew':
    case 'auth':
    case 'authenticate':
    case 'alarm':
    case 'cluster':
    case 'downgrade':
      return result.response;
  }
}

export function plainRange(run: () => RangeResponse): unknown {
  try {
    return plainOperation({ response: { case: 'responseRange', value: run() } });
  } catch (error) {
    if (error instanceof RpcError) return { error: error.message };
    throw error;
  }
}

function plainOperation({ response }: ResponseOp): unknown {
  if (response === null) return null;
  const revision = response.value.header!.revision;
  switch (response.case) {
    case 'responseRange': {
      const { kvs, count, more } = response.value;
      return { revision, kvs: kvs.map(toModelVersion), count, more };
    }
    case 'responsePut': {
      const { prevKv } = response.value;
      return { revision, prevKv: prevKv === null ? null : toModelVersion(prevKv) };
    }
    case 'responseDeleteRange': {
      const { deleted, prevKvs } = response.value;
      return { revision, deleted, prevKvs: prevKvs.map(toModelVersion) };
    }
    case 'responseTxn': {
      const { succeeded, responses } = response.value;
      return { revision, succeeded, responses: responses.map(plainOperation) };
    }
  }
}
