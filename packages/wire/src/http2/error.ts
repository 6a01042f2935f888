import { FlotillaError } from '@flotilla/platform';

/** Of HTTP/2 (RFC 9113, section 7). */
export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
} as const;

/** The other side broke the protocol: the connection must end. */
export class Http2Error extends FlotillaError {
  readonly errorCode: number;

  constructor(errorCode: number, message: string) {
    super('FLOTILLA_WIRE_MALFORMED', message);
    this.errorCode = errorCode;
  }
}
