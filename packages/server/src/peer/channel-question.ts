import { FlotillaError, unreachable } from '@flotilla/platform';
import { outcomes } from './call-stream.ts';

/** A path, and what its handler is given: `length of the path u16 │ path │ body`. */
export interface Question {
  readonly path: string;
  readonly body: Uint8Array;
}

export function encodeQuestion(path: string, body: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode(path);
  const bytes = new Uint8Array(2 + name.length + body.length);
  new DataView(bytes.buffer).setUint16(0, name.length);
  bytes.set(name, 2);
  bytes.set(body, 2 + name.length);
  return bytes;
}

export function decodeQuestion(bytes: Uint8Array): Question {
  const nameEnd = bytes.length < 2 ? Infinity : 2 + new DataView(bytes.buffer, bytes.byteOffset).getUint16(0);
  if (nameEnd > bytes.length) {
    throw new FlotillaError('FLOTILLA_PEER_MALFORMED', 'a question between members is cut off');
  }
  return { path: new TextDecoder().decode(bytes.subarray(2, nameEnd)), body: bytes.subarray(nameEnd) };
}

/** `outcome u8 │ what the handler answered, or the text of its error`. */
export function encodeOutcome(outcome: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + content.length);
  bytes[0] = outcome;
  bytes.set(content, 1);
  return bytes;
}

/** Throws `FLOTILLA_PEER_CALL_FAILED` or `FLOTILLA_PEER_CALL_UNKNOWN`. */
export function contentOf(bytes: Uint8Array, text: (reason: string) => string): Uint8Array {
  const outcome = bytes[0] as (typeof outcomes)[keyof typeof outcomes] | undefined;
  const content = bytes.subarray(1);
  switch (outcome) {
    case outcomes.answered:
      return content;
    case outcomes.failed:
      throw new FlotillaError('FLOTILLA_PEER_CALL_FAILED', text(new TextDecoder().decode(content)));
    case outcomes.unknownPath:
      throw new FlotillaError(
        'FLOTILLA_PEER_CALL_UNKNOWN',
        text(`it does not know ${new TextDecoder().decode(content)}`),
      );
    case undefined:
      throw new FlotillaError('FLOTILLA_PEER_CALL_FAILED', text('its answer is empty'));
    default:
      return unreachable(outcome);
  }
}
