import { endOf } from '../history.ts';
import type {
  Compare,
  EtcdCall,
  EtcdEvent,
  EtcdRequest,
  EtcdResponse,
  KeyValue,
  TxnResult,
} from './requests.ts';

/** A call in one line: who, when, what, and what came back. */
export function describeCall(call: EtcdCall): string {
  const { outcome } = call;
  const answer = outcome.type === 'returned' ? describeResponse(outcome.result) : outcome.type;
  const when = `[${call.calledAt}, ${endOf(call)}]`;
  return `call ${call.id} by client ${call.client} ${when} ${describeRequest(call.operation)} -> ${answer}`;
}

export function describeRequest(request: EtcdRequest): string {
  switch (request.type) {
    case 'range': {
      const options = [
        request.revision > 0 ? `revision ${request.revision}` : '',
        request.limit > 0 ? `limit ${request.limit}` : '',
        request.serializable ? 'serializable' : '',
        request.keysOnly ? 'keys only' : '',
        request.countOnly ? 'count only' : '',
      ].filter((option) => option !== '');
      return `range ${describeRange(request)}${options.length > 0 ? ` (${options.join(', ')})` : ''}`;
    }
    case 'put':
      return `put ${quote(request.key)} = ${request.ignoreValue ? '(same)' : quote(request.value)}`;
    case 'delete-range':
      return `delete ${describeRange(request)}`;
    case 'compact':
      return `compact ${request.revision}`;
    case 'txn': {
      const compare = request.compare.map(describeCompare).join(' and ') || 'true';
      const success = request.success.map(describeRequest).join('; ');
      const failure = request.failure.map(describeRequest).join('; ');
      return `if ${compare} then {${success}} else {${failure}}`;
    }
  }
}

export function describeResponse(response: EtcdResponse): string {
  if (response.type === 'error') return response.error;
  const header = `revision ${response.revision}`;
  return response.type === 'compact' ? header : `${header}, ${describeResult(response)}`;
}

export function describeResult(result: TxnResult): string {
  switch (result.type) {
    case 'range': {
      const kvs = result.kvs.slice(0, 4).map(describeKeyValue).join(' ');
      const rest = result.kvs.length > 4 ? ` and ${result.kvs.length - 4} more` : '';
      return `count ${result.count}${result.more ? ', more' : ''} [${kvs}${rest}]`;
    }
    case 'put':
      return result.prevKv === null ? 'put' : `put over ${describeKeyValue(result.prevKv)}`;
    case 'delete-range':
      return `deleted ${result.deleted}`;
    case 'txn':
      return `${result.succeeded ? 'then' : 'else'} {${result.responses.map(describeResult).join('; ')}}`;
  }
}

export function describeEvents(events: readonly EtcdEvent[]): string {
  if (events.length === 0) return 'nothing';
  return events
    .map((event) =>
      event.type === 'put' ? `put ${describeKeyValue(event.kv)}` : `delete ${quote(event.key)}`,
    )
    .join(', ');
}

export function describeKeyValue(kv: KeyValue): string {
  const lease = kv.lease === 0n ? '' : ` lease ${kv.lease}`;
  return `${quote(kv.key)}=${quote(kv.value)} (create ${kv.createRevision} mod ${kv.modRevision} version ${kv.version}${lease})`;
}

function describeCompare({ key, rangeEnd, result, target }: Compare): string {
  return `${target.type} of ${describeRange({ key, rangeEnd })} ${result} ${String(target.value)}`;
}

function describeRange({ key, rangeEnd }: { readonly key: string; readonly rangeEnd: string }): string {
  return rangeEnd === '' ? quote(key) : `${quote(key)}..${rangeEnd === '\0' ? 'end' : quote(rangeEnd)}`;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
