import { Buffer } from 'node:buffer';
import type { Segment } from './send-window.ts';

/**
 * What the two ends of a stream say to each other, as bodies of Maelstrom messages. `stream` names the stream, and is
 * chosen by who dials; `upTo` says how much of the other direction has arrived.
 */
export type StreamMessage =
  /** Asked until it is answered by `stream_opened`, or by `stream_cut` where nobody listens. */
  | { readonly type: 'stream_open'; readonly stream: string; readonly port: number }
  | { readonly type: 'stream_opened'; readonly stream: string }
  | {
      readonly type: 'stream_data';
      readonly stream: string;
      readonly at: number;
      readonly bytes: string;
      readonly upTo: number;
    }
  | { readonly type: 'stream_end'; readonly stream: string; readonly at: number; readonly upTo: number }
  | { readonly type: 'stream_ack'; readonly stream: string; readonly upTo: number }
  /** Said until it is answered by `stream_gone`. */
  | { readonly type: 'stream_cut'; readonly stream: string }
  | { readonly type: 'stream_gone'; readonly stream: string };

/** Whether a body is meant for streams, well-formed or not. */
export function isForStreams(type: string): boolean {
  return type.startsWith('stream_');
}

/** Null: it is none. */
export function streamMessageOf(body: Readonly<Record<string, unknown>>): StreamMessage | null {
  const { type, stream, port, at, bytes, upTo } = body;
  if (typeof stream !== 'string') return null;
  switch (type) {
    case 'stream_opened':
    case 'stream_cut':
    case 'stream_gone':
      return { type, stream };
    case 'stream_open':
      return isCount(port) ? { type, stream, port } : null;
    case 'stream_ack':
      return isCount(upTo) ? { type, stream, upTo } : null;
    case 'stream_end':
      return isCount(at) && isCount(upTo) ? { type, stream, at, upTo } : null;
    case 'stream_data':
      return isCount(at) && isCount(upTo) && typeof bytes === 'string' && bytes !== ''
        ? { type, stream, at, bytes, upTo }
        : null;
    default:
      return null;
  }
}

export function messageOfSegment(stream: string, { at, bytes }: Segment, upTo: number): StreamMessage {
  if (bytes === null) return { type: 'stream_end', stream, at, upTo };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return { type: 'stream_data', stream, at, bytes: text, upTo };
}

export function segmentOfMessage(message: StreamMessage & { readonly at: number }): Segment {
  const { at } = message;
  return {
    at,
    bytes: message.type === 'stream_data' ? new Uint8Array(Buffer.from(message.bytes, 'base64')) : null,
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
