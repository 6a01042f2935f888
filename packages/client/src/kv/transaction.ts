import { KV, RequestOp, TxnRequest } from '@flotilla/wire';
import type { ResponseOp, TxnResponse } from '@flotilla/wire';
import type { RequestOptions, Requester } from '../connection/requester.ts';
import type { Condition } from './compare.ts';
import { oddResponse, revisionOf } from './operations.ts';
import type { Operation } from './operations.ts';

/** The results of operations, in their order. */
export type Results<Operations extends readonly Operation[]> = {
  readonly [Index in keyof Operations]: Operations[Index] extends Operation<infer Result> ? Result : never;
};

/** How a transaction went: `succeeded` says whether all conditions held, and so which operations were done. */
export type TransactionResult<Done extends readonly Operation[], Otherwise extends readonly Operation[]> =
  | { readonly succeeded: true; readonly revision: number; readonly results: Results<Done> }
  | { readonly succeeded: false; readonly revision: number; readonly results: Results<Otherwise> };

export interface CommitOptions extends RequestOptions {
  /** Says that a second execution does no harm: then it is tried again whatever became of the first, on etcd too. */
  readonly repeatable?: boolean;
}

/**
 * Conditions, and what is done in one revision when all of them hold, or else. Each step answers a new one, so that a
 * transaction can be kept, extended and committed many times.
 *
 * @example
 * const { succeeded, results } = await client
 *   .if(when.modRevision('config', '=', seen))
 *   .do(op.put('config', next))
 *   .else(op.get('config'))
 *   .commit();
 */
export class Transaction<
  Done extends readonly Operation[] = readonly [],
  Otherwise extends readonly Operation[] = readonly [],
> {
  readonly #requester: Requester;
  readonly #conditions: readonly Condition[];
  readonly #done: Done;
  readonly #otherwise: Otherwise;

  constructor(requester: Requester, conditions: readonly Condition[], done: Done, otherwise: Otherwise) {
    this.#requester = requester;
    this.#conditions = conditions;
    this.#done = done;
    this.#otherwise = otherwise;
  }

  /** More conditions. */
  if(...conditions: readonly Condition[]): Transaction<Done, Otherwise> {
    return this.#with([...this.#conditions, ...conditions], this.#done, this.#otherwise);
  }

  /** More operations for when all conditions hold. */
  do<const More extends readonly Operation[]>(
    ...operations: More
  ): Transaction<readonly [...Done, ...More], Otherwise> {
    return this.#with(this.#conditions, [...this.#done, ...operations] as const, this.#otherwise);
  }

  /** More operations for when a condition does not hold. */
  else<const More extends readonly Operation[]>(
    ...operations: More
  ): Transaction<Done, readonly [...Otherwise, ...More]> {
    return this.#with(this.#conditions, this.#done, [...this.#otherwise, ...operations] as const);
  }

  async commit(options?: CommitOptions): Promise<TransactionResult<Done, Otherwise>> {
    const message = this.#message();
    const writes = [...this.#done, ...this.#otherwise].some((operation) => isWrite(operation.message));
    const effect = !writes ? 'read' : options?.repeatable === true ? 'repeatable' : 'write';
    const response = await this.#requester.call(KV.methods.Txn, message, effect, options);
    const revision = revisionOf(response.header);
    return this.#result(response, revision);
  }

  /** This one as an operation of another one. */
  nested(): Operation<TransactionResult<Done, Otherwise>> {
    return {
      message: RequestOp.create({ request: { case: 'requestTxn', value: this.#message() } }),
      read: ({ response }, revision) => {
        if (response?.case !== 'responseTxn') throw oddResponse();
        return this.#result(response.value, revision);
      },
    };
  }

  #message(): TxnRequest {
    return TxnRequest.create({
      compare: this.#conditions.map(({ message }) => message),
      success: this.#done.map(({ message }) => message),
      failure: this.#otherwise.map(({ message }) => message),
    });
  }

  #result({ succeeded, responses }: TxnResponse, revision: number): TransactionResult<Done, Otherwise> {
    if (succeeded) return { succeeded, revision, results: results(this.#done, responses, revision) };
    return { succeeded: false, revision, results: results(this.#otherwise, responses, revision) };
  }

  #with<D extends readonly Operation[], O extends readonly Operation[]>(
    conditions: readonly Condition[],
    done: D,
    otherwise: O,
  ): Transaction<D, O> {
    return new Transaction(this.#requester, conditions, done, otherwise);
  }
}

function results<Operations extends readonly Operation[]>(
  operations: Operations,
  responses: readonly ResponseOp[],
  revision: number,
): Results<Operations> {
  if (responses.length !== operations.length) throw oddResponse();
  return operations.map((operation, index) =>
    operation.read(responses[index] as ResponseOp, revision),
  ) as unknown as Results<Operations>;
}

function isWrite({ request }: RequestOp): boolean {
  if (request?.case !== 'requestTxn') return request?.case !== 'requestRange';
  return [...request.value.success, ...request.value.failure].some(isWrite);
}
