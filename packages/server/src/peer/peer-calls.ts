import {
  type Address,
  type Connection,
  FlotillaError,
  isFlotillaError,
  messageOf,
  type Platform,
  type Timer,
  unreachable,
} from '@flotilla/platform';
import type { NodeId, Transport } from '@flotilla/raft';
import { limits } from '../limits.ts';
import { CallReader, decodeRequest, encodeAnswer, encodeRequest, outcomes } from './call-stream.ts';

/** Answers one call. What it throws is told to the caller, as text. */
export type PeerCallHandler = (body: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/**
 * Questions that one member asks another outside of any group, each on a connection of its own to the peer port: who is
 * in the cluster, what a state's hash is. The caller need not be a member yet.
 *
 * They prove nothing about who asks beyond what the transport checks, so a handler gives away nothing that a member of
 * the cluster must not know, and changes nothing.
 *
 * @example
 * calls.handle('/members', () => encode(members));
 * const members = decode(await calls.call({ host: '10.0.0.1', port: 2380 }, '/members', noBody, 5_000));
 */
export class PeerCalls {
  readonly #platform: Platform;
  readonly #transport: Transport;
  readonly #handlers = new Map<string, PeerCallHandler>();
  readonly #open = new Set<Connection>();
  #answering = 0;
  #closed = false;

  /** `transport`: the one that members meet over. */
  constructor(platform: Platform, transport: Transport) {
    this.#platform = platform;
    this.#transport = transport;
  }

  /** From now on `handler` answers calls of `path`. A path has one handler. */
  handle(path: string, handler: PeerCallHandler): void {
    this.#handlers.set(path, handler);
  }

  /**
   * Asks the member that listens at `address`. Rejects with `FLOTILLA_PEER_CALL_FAILED` (it could not be reached or did
   * not answer in time, what it answered is damaged, or its handler failed), `FLOTILLA_PEER_CALL_UNKNOWN` (it does not
   * know the path: it runs an older version) or `FLOTILLA_STOPPED`.
   */
  async call(address: Address, path: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    if (this.#closed) throw stopped();
    const startMs = this.#platform.now();
    let connection: Connection;
    try {
      connection = await this.#transport.connect(address, { peer: nobodyInParticular, timeoutMs });
    } catch (error) {
      throw failed(address, messageOf(error), error);
    }
    try {
      this.#transport.authenticate?.(connection, nobodyInParticular);
    } catch (error) {
      connection.destroy();
      throw failed(address, messageOf(error), error);
    }
    const leftMs = Math.max(1, timeoutMs - (this.#platform.now() - startMs));
    return await this.#exchange(connection, address, encodeRequest(this.#platform, path, body), leftMs);
  }

  /**
   * Takes a connection whose first bytes were those of a call. `refusal`: why nothing is answered to who is at its
   * other end; it is told that.
   */
  accept(connection: Connection, refusal: string | null = null): void {
    if (this.#closed || this.#answering >= limits.peerCallsAnswered) {
      connection.destroy();
      return;
    }
    this.#answering += 1;
    this.#open.add(connection);
    const over = (): void => {
      timer.cancel();
      if (this.#open.delete(connection)) this.#answering -= 1;
    };
    const timer = this.#platform.timer(limits.peerCallAnswerMs, 'peer-call-answer', () => {
      connection.destroy();
      over();
    });
    const reader = new CallReader(this.#platform, limits.peerCallBytes);
    let taken = false;
    connection.start({
      data: (chunk) => {
        if (taken) return;
        try {
          const request = reader.push(chunk);
          if (request === null) return;
          taken = true;
          this.#platform.spawn('peer-call', () => this.#answer(connection, request, refusal));
        } catch (error) {
          taken = true;
          this.#platform.log.warn('a call of another member cannot be read', { reason: messageOf(error) });
          connection.destroy();
          over();
        }
      },
      drained: () => undefined,
      closed: over,
    });
  }

  /** Cuts what is under way. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#open) connection.destroy();
  }

  async #answer(connection: Connection, request: Uint8Array, refusal: string | null): Promise<void> {
    let answer: Uint8Array;
    try {
      if (refusal !== null) throw new FlotillaError('FLOTILLA_PEER_CERTIFICATE', refusal);
      const { path, body } = decodeRequest(request);
      const handler = this.#handlers.get(path);
      answer =
        handler === undefined
          ? encodeAnswer(this.#platform, outcomes.unknownPath, new TextEncoder().encode(path))
          : encodeAnswer(this.#platform, outcomes.answered, await handler(body));
    } catch (error) {
      answer = encodeAnswer(this.#platform, outcomes.failed, new TextEncoder().encode(messageOf(error)));
    }
    connection.write(answer);
    connection.close();
  }

  #exchange(
    connection: Connection,
    address: Address,
    request: Uint8Array,
    timeoutMs: number,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      let timer: Timer | null = null;
      let over = false;
      const end = (settle: () => void): void => {
        if (over) return;
        over = true;
        timer?.cancel();
        this.#open.delete(connection);
        connection.destroy();
        settle();
      };
      const fail = (error: unknown): void => {
        const isUnknown = isFlotillaError(error, 'FLOTILLA_PEER_CALL_UNKNOWN');
        end(() => reject(isUnknown ? error : failed(address, messageOf(error), error)));
      };
      if (this.#closed) {
        end(() => reject(stopped()));
        return;
      }
      timer = this.#platform.timer(timeoutMs, 'peer-call', () => {
        fail(new FlotillaError('FLOTILLA_PEER_CALL_FAILED', textOf(address, 'it did not answer in time')));
      });
      const reader = new CallReader(this.#platform, limits.peerCallBytes);
      // Closed with this member: whoever waits must not wait for the time-out.
      this.#open.add(connection);
      connection.start({
        data: (chunk) => {
          if (over) return;
          try {
            const body = reader.push(chunk);
            if (body === null) return;
            const content = contentOf(body, address);
            end(() => resolve(content));
          } catch (error) {
            fail(error);
          }
        },
        drained: () => undefined,
        closed: (error) => fail(this.#closed ? stopped() : (error ?? new Error('it hung up'))),
      });
      connection.write(request);
    });
  }
}

/** A call goes to an address; who is there the caller may not know yet. */
export const nobodyInParticular = 0 as NodeId;

function contentOf(body: Uint8Array, address: Address): Uint8Array {
  const outcome = body[0] as (typeof outcomes)[keyof typeof outcomes] | undefined;
  const content = body.slice(1);
  switch (outcome) {
    case outcomes.answered:
      return content;
    case outcomes.failed:
      throw new FlotillaError(
        'FLOTILLA_PEER_CALL_FAILED',
        textOf(address, new TextDecoder().decode(content)),
      );
    case outcomes.unknownPath:
      throw new FlotillaError(
        'FLOTILLA_PEER_CALL_UNKNOWN',
        textOf(address, `it does not know ${new TextDecoder().decode(content)}`),
      );
    case undefined:
      throw new FlotillaError('FLOTILLA_PEER_CALL_FAILED', textOf(address, 'its answer is empty'));
    default:
      return unreachable(outcome);
  }
}

function failed(address: Address, reason: string, cause: unknown): FlotillaError {
  if (isFlotillaError(cause, 'FLOTILLA_STOPPED') || isFlotillaError(cause, 'FLOTILLA_PEER_CALL_FAILED')) {
    return cause;
  }
  return new FlotillaError('FLOTILLA_PEER_CALL_FAILED', textOf(address, reason), { cause });
}

function textOf({ host, port }: Address, reason: string): string {
  return `asking the member at ${host}:${port}: ${reason}`;
}

function stopped(): FlotillaError {
  return new FlotillaError('FLOTILLA_STOPPED', 'this member stops');
}
