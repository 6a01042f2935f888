import type { MessageBody } from './message.ts';
import type { OwnApi } from './own-api.ts';

/** What a client asks for, once it is known to be well-formed. */
export interface Operation {
  /** It changes nothing: whatever becomes of it, it had no effect. */
  readonly readsOnly: boolean;
  /** Answers the body of the reply. Rejects with a `Failure` or an `RpcError`. */
  run(api: OwnApi): Promise<MessageBody>;
}
