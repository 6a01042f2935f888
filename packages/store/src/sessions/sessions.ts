import { assert } from '@flotilla/platform';
import type { RpcError } from '@flotilla/wire';
import type { ApplyResult } from '../apply-result.ts';
import { compareBytes } from '../bytes.ts';
import { bytesToText } from '../encoding/text.ts';
import { ByteReader } from '../encoding/byte-reader.ts';
import { limits } from '../limits.ts';
import type { LogPosition } from '../mvcc/meta.ts';
import type { Proposal, RequestSession } from '../proposal.ts';
import type { AdoptedSession } from '../order/order-machine.ts';
import type { ForgottenNames } from '../order/session-registry.ts';
import { Namespace } from '../system/namespaces.ts';
import { keyOf, type SystemTable } from '../system/system-table.ts';
import { Forgotten } from './forgotten.ts';
import { decodeReply, digestOf, encodeDropped, encodeReply } from './reply.ts';
import {
  decodeSession,
  decodeSessionExpiry,
  encodeSession,
  type Session,
  type SessionUse,
} from './session.ts';
import { sessionErrors } from './session-errors.ts';
import { repliesPrefix, replyKey, requestDigest, sessionKey, sessionPrefix } from './session-key.ts';

export interface SessionStats {
  readonly count: number;
  /** What the kept replies take, see `limits.sessionsBytes`. */
  readonly bytes: number;
  /** Names that are refused since their session was forgotten. */
  readonly forgotten: number;
}

/** What was executed: a proposal, or a change of membership as the `cluster` proposal of a further try would say it. */
type Executed = Pick<Proposal, 'kind' | 'request' | 'origin'>;

/**
 * The replies that clients may ask for again. docs/sessions.md says what clients see of it, and why no request is
 * ever executed twice.
 *
 * Heads of sessions are on the heap in the order of their last use; replies are in the system table only.
 */
export class Sessions {
  readonly #system: SystemTable;
  /** The one that was used least recently comes first. */
  readonly #sessions = new Map<string, Session>();
  readonly #forgotten: Forgotten;
  #bytes = 0;

  constructor(system: SystemTable) {
    this.#system = system;
    this.#forgotten = new Forgotten(system);
    const known: Session[] = [];
    const cursor = system.scan(Namespace.SESSION, sessionPrefix);
    for (; cursor.key !== null; cursor.advance()) {
      const id = bytesToText(keyOf(cursor.key).subarray(sessionPrefix.length));
      known.push(decodeSession(id, cursor.value));
    }
    known.sort((a, b) => a.usedAt - b.usedAt);
    for (const session of known) {
      this.#sessions.set(session.id, session);
      this.#bytes += session.bytes;
    }
  }

  get stats(): SessionStats {
    return { count: this.#sessions.size, bytes: this.#bytes, forgotten: this.#forgotten.size };
  }

  /** Every session with its last use, the one that was used least recently first. */
  *uses(): IterableIterator<SessionUse> {
    for (const { id, usedAt } of this.#sessions.values()) yield { id, usedAt };
  }

  /** Whether applying a request of this number will not execute it: it is answered from memory, or refused. */
  settles({ id, request }: RequestSession): boolean {
    const session = this.#sessions.get(id);
    if (session === undefined) return request > 1 || this.#forgotten.has(id);
    return request <= session.floor || this.#reply(session, request) !== null;
  }

  /** Whether a request of this number was executed, and that is not forgotten. */
  remembers({ id, request }: RequestSession): boolean {
    const session = this.#sessions.get(id);
    return session !== undefined && this.#reply(session, request) !== null;
  }

  /** The answer of the same request when it was first applied, or why it cannot be had; null: execute it. */
  recall(asked: RequestSession, proposal: Executed, position: LogPosition): ApplyResult | null {
    const session = this.#sessions.get(asked.id);
    if (session === undefined) {
      // Only request 1 opens a session: of any other it may have been forgotten that it was executed.
      const opens = asked.request === 1 && !this.#forgotten.has(asked.id);
      return opens ? null : refusal(sessionErrors.expired);
    }
    if (session.owner !== ownerOf(proposal)) return refusal(sessionErrors.otherUser);
    if (asked.request <= session.floor) return refusal(sessionErrors.tooOld);
    const record = this.#reply(session, asked.request);
    if (record === null) return null;
    const { digest, result } = decodeReply(record);
    if (compareBytes(digest, digestFor(asked, proposal)) !== 0) return refusal(sessionErrors.otherRequest);
    this.#use(session, asked, position);
    return result ?? refusal(sessionErrors.replyDropped);
  }

  /** After {@link recall} has answered null: the request was executed, well or not. */
  remember(asked: RequestSession, proposal: Executed, result: ApplyResult, position: LogPosition): void {
    const session = this.#sessions.get(asked.id) ?? this.#open(asked, proposal, position);
    assert(this.#reply(session, asked.request) === null, 'a request of a session is executed once');
    const record = encodeReply(digestFor(asked, proposal), result);
    this.#system.set(Namespace.SESSION, replyKey(session.opened, asked.request), record);
    this.#count(session, keptBytes(record));
    this.#use(session, asked, position);
    if (session.bytes > limits.sessionBytes) this.#dropBodies(session, asked.request);
    this.#makeRoom(session);
  }

  /** Sessions that nobody has used for long: those that were used after it was said so stay. */
  expire(request: Uint8Array): void {
    for (const { id, usedAt } of decodeSessionExpiry(request)) {
      const session = this.#sessions.get(id);
      if (session !== undefined && session.usedAt === usedAt) this.#forget(session);
    }
  }

  /** Names of sessions that are no more: they open none. */
  get forgotten(): ForgottenNames {
    return this.#forgotten;
  }

  /**
   * Hands all sessions over to an order, the one that was used least recently first. Requests keep their results, if those
   * were still kept; which request it was that had a number is not known any more. `frontier`: of the results that do not say
   * at which revision they were given.
   */
  convert(frontier: number): AdoptedSession[] {
    const adopted = [...this.#sessions.values()].map((session) => this.#adopted(session, frontier));
    for (const session of this.#sessions.values()) {
      for (const request of this.#requests(session)) {
        this.#system.set(Namespace.SESSION, replyKey(session.opened, request), null);
      }
      this.#system.set(Namespace.SESSION, sessionKey(session.id), null);
    }
    this.#sessions.clear();
    this.#bytes = 0;
    return adopted;
  }

  #adopted(session: Session, frontier: number): AdoptedSession {
    const results = this.#requests(session).map((request) => {
      const reply = decodeReply(this.#reply(session, request) as Uint8Array);
      const result = reply.result ?? refusal(sessionErrors.replyDropped);
      return { request, revision: revisionOf(result) ?? frontier, result };
    });
    return { name: session.id, owner: session.owner, floor: session.floor + 1, results };
  }

  #open({ id }: RequestSession, proposal: Executed, { index }: LogPosition): Session {
    const session: Session = {
      id,
      opened: index,
      owner: ownerOf(proposal),
      usedAt: index,
      floor: 0,
      bytes: 0,
    };
    this.#sessions.set(id, session);
    this.#count(session, limits.sessionReplyOverheadBytes);
    return session;
  }

  #use(session: Session, { request, done }: RequestSession, { index }: LogPosition): void {
    session.usedAt = index;
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
    this.#raiseFloor(session, Math.max(done, request - limits.sessionWindowRequests));
    this.#store(session);
  }

  /** Replies up to `floor` are not asked for again, and requests up to it never executed. */
  #raiseFloor(session: Session, floor: number): void {
    if (floor <= session.floor) return;
    const dropped: number[] = [];
    // Usually the next one or two; looking them up spares a scan over what was just removed.
    if (floor - session.floor <= limits.sessionWindowRequests) {
      for (let request = session.floor + 1; request <= floor; request += 1) dropped.push(request);
    } else {
      for (const request of this.#requests(session)) if (request <= floor) dropped.push(request);
    }
    for (const request of dropped) {
      const record = this.#reply(session, request);
      if (record === null) continue;
      this.#system.set(Namespace.SESSION, replyKey(session.opened, request), null);
      this.#count(session, -keptBytes(record));
    }
    session.floor = floor;
  }

  /** Of the oldest requests it stays known that they were executed, and no more. `newest` keeps its reply. */
  #dropBodies(session: Session, newest: number): void {
    for (const request of this.#requests(session)) {
      if (session.bytes <= limits.sessionBytes / 2) break;
      if (request === newest) continue;
      const record = this.#reply(session, request) as Uint8Array;
      const dropped = encodeDropped(digestOf(record));
      this.#system.set(Namespace.SESSION, replyKey(session.opened, request), dropped);
      this.#count(session, dropped.length - record.length);
    }
    this.#store(session);
  }

  #makeRoom(present: Session): void {
    for (const session of this.#sessions.values()) {
      if (this.#sessions.size <= limits.sessions && this.#bytes <= limits.sessionsBytes) return;
      assert(session !== present, 'what one session may keep is less than what all may');
      this.#forget(session);
    }
  }

  #forget(session: Session): void {
    for (const request of this.#requests(session)) {
      this.#system.set(Namespace.SESSION, replyKey(session.opened, request), null);
    }
    this.#system.set(Namespace.SESSION, sessionKey(session.id), null);
    this.#sessions.delete(session.id);
    this.#bytes -= session.bytes;
    this.#forgotten.add(session.id);
  }

  /** Numbers of the requests of which something is kept, ascending. */
  #requests({ opened }: Session): number[] {
    const prefix = repliesPrefix(opened);
    const requests: number[] = [];
    const cursor = this.#system.scan(Namespace.SESSION, prefix);
    for (; cursor.key !== null; cursor.advance()) {
      requests.push(new ByteReader(keyOf(cursor.key), prefix.length).uint64());
    }
    return requests;
  }

  #reply({ opened }: Session, request: number): Uint8Array | null {
    return this.#system.get(Namespace.SESSION, replyKey(opened, request));
  }

  #count(session: Session, bytes: number): void {
    session.bytes += bytes;
    this.#bytes += bytes;
  }

  #store(session: Session): void {
    this.#system.set(Namespace.SESSION, sessionKey(session.id), encodeSession(session));
  }
}

function revisionOf(result: ApplyResult): number | null {
  if (result.kind === 'none' || result.kind === 'error' || result.kind === 'order') return null;
  const { response } = result;
  return 'header' in response ? (response.header?.revision ?? null) : null;
}

function keptBytes(record: Uint8Array): number {
  return record.length + limits.sessionReplyOverheadBytes;
}

function ownerOf({ origin }: Executed): string {
  return origin.user?.name ?? '';
}

function digestFor({ digest }: RequestSession, { kind, request }: Executed): Uint8Array {
  return digest.length > 0 ? digest : requestDigest(kind, request);
}

function refusal(error: RpcError): ApplyResult {
  return { kind: 'error', error };
}
