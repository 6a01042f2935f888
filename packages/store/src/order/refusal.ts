import { RpcError } from '@flotilla/wire';
import type { ApplyResult } from '../apply-result.ts';

/** What a request is refused with is an answer like others; anything else that is thrown is a bug. */
export function refusalOf(error: unknown): ApplyResult {
  if (!(error instanceof RpcError)) throw error;
  return { kind: 'error', error };
}
