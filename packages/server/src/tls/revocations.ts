import { FlotillaError } from '@flotilla/platform';

/** Serial numbers of revoked certificates, in upper-case hexadecimal without leading zeros. */
export type Revocations = ReadonlySet<string>;

/**
 * Reads a certificate revocation list (RFC 5280, section 5.1) in DER or PEM. As in etcd its signature and dates are
 * not looked at: it is a file of the operator's, trusted as the list of authorities is.
 */
export function parseRevocations(file: Uint8Array): Revocations {
  try {
    return serialNumbersIn(derOf(file));
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause;
    throw new FlotillaError('FLOTILLA_TLS_INVALID', `not a certificate revocation list: ${cause.message}`, {
      cause,
    });
  }
}

/** How {@link Revocations} have a serial number. */
export function canonicalSerialNumber(hexadecimal: string): string {
  return hexadecimal.toUpperCase().replace(/^0+(?=.)/, '');
}

class Malformed extends Error {}

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

/**
 * ```text
 * CertificateList ::= SEQUENCE { tbsCertList, … }
 * TBSCertList ::= SEQUENCE { version INTEGER OPTIONAL, signature SEQUENCE, issuer SEQUENCE, thisUpdate Time,
 *   nextUpdate Time OPTIONAL, revokedCertificates SEQUENCE OF SEQUENCE { serial INTEGER, … } OPTIONAL, [0] … }
 * ```
 */
function serialNumbersIn(der: Uint8Array): Set<string> {
  const fields = elements(elements(single(der, SEQUENCE))[0], SEQUENCE);
  let at = fields[0]?.tag === INTEGER ? 1 : 0;
  if (fields[at]?.tag !== SEQUENCE || fields[at + 1]?.tag !== SEQUENCE || !isTime(fields[at + 2])) {
    throw new Malformed('its first fields are missing');
  }
  at += 3;
  if (isTime(fields[at])) at += 1;
  const revoked = fields[at]?.tag === SEQUENCE ? elements(fields[at]) : [];
  return new Set(
    revoked.map((entry) => {
      const serial = elements(entry, SEQUENCE)[0];
      if (serial?.tag !== INTEGER) throw new Malformed('an entry has no serial number');
      return canonicalSerialNumber(Buffer.from(serial.content).toString('hex'));
    }),
  );
}

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

function isTime(element: Element | undefined): boolean {
  return element?.tag === UTC_TIME || element?.tag === GENERALIZED_TIME;
}

function single(der: Uint8Array, tag: number): Element {
  const [element, rest] = firstElement(der);
  if (element.tag !== tag || rest.length > 0) throw new Malformed('it is no sequence');
  return element;
}

function elements(parent: Element | undefined, tag = SEQUENCE): Element[] {
  if (parent?.tag !== tag) throw new Malformed('a sequence is missing');
  const found: Element[] = [];
  for (let rest = parent.content; rest.length > 0;) {
    const [element, after] = firstElement(rest);
    found.push(element);
    rest = after;
  }
  return found;
}

/** The element that `der` begins with, and what follows it. Lengths of DER are definite. */
function firstElement(der: Uint8Array): [Element, Uint8Array] {
  const tag = der[0];
  const first = der[1];
  if (tag === undefined || first === undefined) throw new Malformed('it ends too early');
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || lengthBytes > 4) throw new Malformed('a length makes no sense');
  let length = first < 0x80 ? first : 0;
  for (let i = 0; i < lengthBytes; i += 1) length = length * 256 + (der[2 + i] ?? 0);
  const start = 2 + lengthBytes;
  if (start + length > der.length) throw new Malformed('it ends too early');
  return [{ tag, content: der.subarray(start, start + length) }, der.subarray(start + length)];
}

function derOf(file: Uint8Array): Uint8Array {
  const text = new TextDecoder('latin1').decode(file);
  const block = /-----BEGIN X509 CRL-----([\s\S]*?)-----END X509 CRL-----/.exec(text);
  return block === null ? file : Buffer.from(block[1] as string, 'base64');
}
