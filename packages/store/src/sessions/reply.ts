import { Buffer } from 'node:buffer';
import { assert } from '@flotilla/platform';
import {
  AlarmResponse,
  AuthenticateResponse,
  type Codec,
  CompactionResponse,
  DeleteRangeResponse,
  DowngradeResponse,
  LeaseGrantResponse,
  LeaseRevokeResponse,
  PutResponse,
  RpcError,
  type Status,
  TxnResponse,
} from '@flotilla/wire';
import { type AnsweredKind, type Answers, type ApplyResult, noAnswer } from '../apply-result.ts';
import { bytesToText, textToBytes } from '../encoding/text.ts';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { limits } from '../limits.ts';

/** What is kept of a request that was executed: by what it is known, and what it was answered. */
export interface Reply {
  readonly digest: Uint8Array;
  /** Null: too large to be kept, or no longer kept. */
  readonly result: ApplyResult | null;
}

const writer = new ByteWriter(16 * 1024);

/** `maxBytes`: what is longer is not kept. */
export function encodeReply(
  digest: Uint8Array,
  result: ApplyResult,
  maxBytes: number = limits.sessionReplyBytes,
): Uint8Array {
  writer.lengthPrefixed(digest);
  writeResult(writer, result);
  const reply = writer.take();
  return reply.length > maxBytes ? encodeDropped(digest) : reply;
}

/** Of a request whose answer is not kept. */
export function encodeDropped(digest: Uint8Array): Uint8Array {
  writer.lengthPrefixed(digest);
  writer.byte(Form.DROPPED);
  return writer.take();
}

export function decodeReply(record: Uint8Array): Reply {
  const reader = new ByteReader(record);
  const digest = reader.lengthPrefixed();
  const form = reader.byte();
  switch (form) {
    case Form.DROPPED:
      return { digest, result: null };
    case Form.NONE:
      return { digest, result: noAnswer };
    case Form.ERROR: {
      const status = reader.byte() as Status;
      return { digest, result: { kind: 'error', error: new RpcError(status, bytesToText(reader.rest())) } };
    }
    default: {
      assert(form === Form.ANSWER, 'a reply has one of the forms');
      const kind = answeredKinds[reader.byte()];
      assert(kind !== undefined, 'a reply is of a kind that is answered');
      return { digest, result: answerOf(kind, reader.rest()) };
    }
  }
}

/** The digest of a reply, without the rest of it. */
export function digestOf(record: Uint8Array): Uint8Array {
  return new ByteReader(record).lengthPrefixed();
}

/** Stored; a number never changes its meaning. */
const Form = { DROPPED: 0, NONE: 1, ERROR: 2, ANSWER: 3 } as const;

/** By code. Stored: a code is never used for another kind. */
const answeredKinds: readonly AnsweredKind[] = [
  'put',
  'delete-range',
  'txn',
  'compact',
  'lease-grant',
  'lease-revoke',
  'lease-renew',
  'auth',
  'authenticate',
  'alarm',
  'cluster',
  'downgrade',
];

type AnswerCodec<Answer> = Pick<Codec<Answer>, 'encode' | 'decode'>;

/** Answers that are one message are kept as that; others as the plain data that they are. */
const codecs: { readonly [Kind in AnsweredKind]: AnswerCodec<Answers[Kind]> } = {
  put: PutResponse,
  'delete-range': DeleteRangeResponse,
  txn: TxnResponse,
  compact: CompactionResponse,
  'lease-grant': LeaseGrantResponse,
  'lease-revoke': LeaseRevokeResponse,
  'lease-renew': plainData(),
  auth: plainData(),
  authenticate: AuthenticateResponse,
  alarm: AlarmResponse,
  cluster: plainData(),
  downgrade: DowngradeResponse,
};

function writeResult(target: ByteWriter, result: ApplyResult): void {
  if (result.kind === 'none') {
    target.byte(Form.NONE);
  } else if (result.kind === 'error') {
    target.byte(Form.ERROR);
    target.byte(result.error.status);
    target.bytes(textToBytes(result.error.message));
  } else {
    assert(result.kind !== 'order', 'what an entry of the order has come to is no answer');
    target.byte(Form.ANSWER);
    target.byte(answeredKinds.indexOf(result.kind));
    target.bytes(answerBytes(result.kind, result.response));
  }
}

function answerBytes<Kind extends AnsweredKind>(kind: Kind, answer: Answers[AnsweredKind]): Uint8Array {
  return codecs[kind].encode(answer as Answers[Kind]);
}

function answerOf(kind: AnsweredKind, bytes: Uint8Array): ApplyResult {
  return { kind, response: codecs[kind].decode(bytes) } as ApplyResult;
}

/** For answers made of objects, lists, texts, numbers, bigints and bytes. */
function plainData<Answer>(): AnswerCodec<Answer> {
  return {
    encode: (answer) => textToBytes(JSON.stringify(answer, pack)),
    decode: (bytes) => JSON.parse(bytesToText(bytes), unpack) as Answer,
  };
}

interface Packed {
  readonly $bigint?: string;
  readonly $bytes?: string;
}

/** Of the holder's own value: a Buffer has turned itself into something else by the time that it is handed over. */
function pack(this: Record<string, unknown>, key: string, handed: unknown): unknown {
  const value = this[key];
  if (typeof value === 'bigint') return { $bigint: value.toString() } satisfies Packed;
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') } satisfies Packed;
  return handed;
}

function unpack(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { $bigint, $bytes } = value as Packed;
  if ($bigint !== undefined) return BigInt($bigint);
  if ($bytes !== undefined) return Uint8Array.from(Buffer.from($bytes, 'base64'));
  return value;
}
