import { FlotillaError, unreachable } from '@flotilla/platform';
import type { ErrorCode } from '@flotilla/platform';
import {
  type ApplyResult,
  type CommittedOutcome,
  decodePlain,
  decodeReply,
  encodePlain,
  encodeReply,
  type KeySpan,
  type RefusalReason,
  type RequestOrigin,
  type ShardId,
  type Vote,
} from '@flotilla/store';
import { TxnResponse } from '@flotilla/wire';
import type { SubmitReply } from './types.ts';

/** What nodes ask each other for their shards, by path. Sent: a path never changes its meaning. */
export const paths = {
  submit: '/shard/submit',
  log: '/shard/log',
  recall: '/shard/recall',
  open: '/shard/open',
  drop: '/shard/drop',
  member: '/shard/member',
  gone: '/shard/gone',
  kept: '/shard/kept',
  report: '/order/report',
} as const;

/** An entry for a shard's log. */
export interface SubmitMessage {
  readonly shard: ShardId;
  /** As the log has it. */
  readonly entry: Uint8Array;
  readonly timeoutMs: number;
}

/** What became of it, and who leads the shard as far as the asked node knows (0: nobody). */
export type SubmitAnswer =
  | { readonly kind: 'reply'; readonly reply: SubmitReply; readonly leader: number }
  /** It has no replica that could take it. */
  | { readonly kind: 'elsewhere' }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

export interface RecallMessage {
  readonly shard: ShardId;
  readonly origin: Pick<RequestOrigin, 'session' | 'request'>;
}

/** A node is to open a shard's group without a state, to become a member. */
export interface OpenMessage {
  readonly shard: ShardId;
  readonly span: KeySpan;
  /** What the asking leader has applied: what was said of this node's membership before is over. */
  readonly appliedIndex: number;
  /** How far its order had come. */
  readonly orderIndex: number;
}

export interface OpenAnswer {
  /** What it was told had been applied when it opened a replica that has no state yet; null: it has a state. */
  readonly emptySince: number | null;
}

/** A node was removed from a shard's group by the entry at this index. */
export interface DropMessage {
  readonly shard: ShardId;
  readonly index: number;
}

/** How far shards are that a node leads, and what they vote. */
export interface ReportMessage {
  readonly rows: readonly ReportRow[];
  readonly votes: readonly Vote[];
}

export interface ReportRow {
  readonly shard: ShardId;
  readonly seq: number;
  readonly ordered: number;
}

export function encodeMessage(message: object): Uint8Array {
  return encodePlain(message);
}

export function decodeMessage<Message>(bytes: Uint8Array): Message {
  return decodePlain<Message>(bytes);
}

export function encodeSubmitAnswer(answer: SubmitAnswer): Uint8Array {
  if (answer.kind !== 'reply') return encodePlain(answer);
  const { reply, leader } = answer;
  switch (reply.kind) {
    case 'answer': {
      const { result, ...rest } = reply.answer;
      return encodePlain({ kind: 'answer', leader, ...rest, result: encodeResult(result) });
    }
    case 'part':
      return encodePlain({ kind: 'part', leader, outcome: outcomeToPlain(reply.outcome) });
    case 'aborted':
      return encodePlain({ kind: 'aborted', leader });
    case 'refused':
      return encodePlain({ kind: 'refused', leader, reason: reply.reason });
    default:
      return unreachable(reply);
  }
}

export function decodeSubmitAnswer(bytes: Uint8Array): SubmitAnswer {
  const plain = decodePlain<PlainAnswer>(bytes);
  switch (plain.kind) {
    case 'elsewhere':
    case 'failed':
      return plain;
    case 'answer': {
      const { origin, revision, effective, leader } = plain;
      const answer = { origin, revision, effective, result: decodeResult(plain.result) };
      return { kind: 'reply', leader, reply: { kind: 'answer', answer } };
    }
    case 'part':
      return {
        kind: 'reply',
        leader: plain.leader,
        reply: { kind: 'part', outcome: outcomeFromPlain(plain.outcome) },
      };
    case 'aborted':
      return { kind: 'reply', leader: plain.leader, reply: { kind: 'aborted' } };
    case 'refused':
      return { kind: 'reply', leader: plain.leader, reply: { kind: 'refused', reason: plain.reason } };
    default:
      return unreachable(plain);
  }
}

/** Null: nothing is remembered. */
export function encodeOutcome(outcome: CommittedOutcome | null): Uint8Array {
  return encodePlain(outcome === null ? null : outcomeToPlain(outcome));
}

export function decodeOutcome(bytes: Uint8Array): CommittedOutcome | null {
  const plain = decodePlain<PlainOutcome | null>(bytes);
  return plain === null ? null : outcomeFromPlain(plain);
}

type PlainAnswer =
  | Exclude<SubmitAnswer, { readonly kind: 'reply' }>
  | {
      readonly kind: 'answer';
      readonly leader: number;
      readonly origin: RequestOrigin;
      readonly revision: number;
      readonly effective: boolean;
      readonly result: Uint8Array;
    }
  | { readonly kind: 'part'; readonly leader: number; readonly outcome: PlainOutcome }
  | { readonly kind: 'aborted'; readonly leader: number }
  | { readonly kind: 'refused'; readonly leader: number; readonly reason: RefusalReason };

type PlainOutcome = Omit<CommittedOutcome, 'error' | 'parts'> & {
  readonly error: Uint8Array | null;
  readonly parts: readonly { readonly shard: ShardId; readonly part: Uint8Array }[];
};

function outcomeToPlain({ error, parts, ...rest }: CommittedOutcome): PlainOutcome {
  return {
    ...rest,
    error: error === null ? null : encodeResult(error),
    parts: [...parts].map(([shard, part]) => ({ shard, part: TxnResponse.encode(part) })),
  };
}

function outcomeFromPlain({ error, parts, ...rest }: PlainOutcome): CommittedOutcome {
  return {
    ...rest,
    error: error === null ? null : decodeResult(error),
    parts: new Map(parts.map(({ shard, part }) => [shard, TxnResponse.decode(part)])),
  };
}

const noDigest = new Uint8Array(0);

function encodeResult(result: ApplyResult): Uint8Array {
  return encodeReply(noDigest, result, Infinity);
}

function decodeResult(bytes: Uint8Array): ApplyResult {
  const { result } = decodeReply(bytes);
  if (result === null) {
    throw new FlotillaError('FLOTILLA_PEER_MALFORMED', 'the answer of another node is cut off');
  }
  return result;
}
