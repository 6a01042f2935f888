import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { FlotillaError } from '@flotilla/platform';
import { der } from './der.ts';

/** A certificate to be made. Keys are of ECDSA on P-256. */
export interface CertificatePlan {
  readonly subject: DistinguishedName;
  readonly publicKey: KeyObject;
  /** Who signs: the subject itself, for a self-signed one. */
  readonly issuer: {
    readonly name: DistinguishedName;
    readonly publicKey: KeyObject;
    readonly key: KeyObject;
  };
  /** Random, unless it is given. */
  readonly serialNumber?: bigint;
  /** Milliseconds since 1970; seconds count. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Host names and IP addresses that it is good for. */
  readonly hosts: readonly string[];
  /** What its key may do. `authority`: sign certificates and lists of revoked ones. */
  readonly purposes: readonly ('server' | 'client' | 'authority')[];
}

export interface DistinguishedName {
  readonly organization?: string;
  readonly commonName?: string;
}

/** X.509 version 3 (RFC 5280), in DER. */
export function encodeCertificate(plan: CertificatePlan): Buffer {
  const { issuer } = plan;
  const body = der.sequence(
    der.tagged(0, der.integer(2n)),
    der.integer(plan.serialNumber ?? randomSerialNumber()),
    signatureAlgorithm,
    encodeName(issuer.name),
    der.sequence(der.time(plan.notBefore), der.time(plan.notAfter)),
    encodeName(plan.subject),
    subjectPublicKeyInfo(plan.publicKey),
    der.tagged(3, der.sequence(...extensionsOf(plan))),
  );
  return signed(body, issuer.key);
}

/** Appends a signature, as certificates and revocation lists have it. */
export function signed(body: Buffer, key: KeyObject): Buffer {
  return der.sequence(body, signatureAlgorithm, der.bits(sign('sha256', body, key)));
}

export function encodeName({ organization, commonName }: DistinguishedName): Buffer {
  const attributes: Buffer[] = [];
  if (organization !== undefined) attributes.push(attribute('2.5.4.10', organization));
  if (commonName !== undefined) attributes.push(attribute('2.5.4.3', commonName));
  return der.sequence(...attributes);
}

export function pem(label: string, content: Buffer): string {
  const lines = content.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** `ecdsa-with-SHA256` */
export const signatureAlgorithm = der.sequence(der.objectId('1.2.840.10045.4.3.2'));

const purposeIds = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;

function extensionsOf({ hosts, issuer, publicKey, purposes }: CertificatePlan): Buffer[] {
  const isAuthority = purposes.includes('authority');
  const usages = purposes.flatMap((purpose) =>
    purpose === 'authority' ? [] : [der.objectId(purposeIds[purpose])],
  );
  const extensions = [
    extension('2.5.29.19', true, der.sequence(...(isAuthority ? [der.boolean(true)] : []))),
    // The bits digitalSignature (0), and for an authority keyCertSign (5) and cRLSign (6) as well.
    extension('2.5.29.15', true, isAuthority ? der.bits(Buffer.of(0x86), 1) : der.bits(Buffer.of(0x80), 7)),
    extension('2.5.29.14', false, der.octets(keyIdentifier(publicKey))),
    extension('2.5.29.35', false, der.sequence(der.context(0, keyIdentifier(issuer.publicKey)))),
  ];
  if (usages.length > 0) extensions.push(extension('2.5.29.37', false, der.sequence(...usages)));
  if (hosts.length > 0) {
    extensions.push(extension('2.5.29.17', false, der.sequence(...hosts.map(generalName))));
  }
  return extensions;
}

function extension(id: string, critical: boolean, content: Buffer): Buffer {
  const flag = critical ? [der.boolean(true)] : [];
  return der.sequence(der.objectId(id), ...flag, der.octets(content));
}

function generalName(host: string): Buffer {
  return isIP(host) === 0 ? der.context(2, Buffer.from(host)) : der.context(7, addressBytes(host));
}

function addressBytes(host: string): Buffer {
  if (isIP(host) === 4) return Buffer.from(host.split('.').map(Number));
  // The dotted end of an IPv4 address in IPv6 is spelled out by `URL`, too; then only `::` is left to be filled in.
  const shortest = new URL(`http://[${host}]`).hostname.slice(1, -1);
  const [head = '', tail] = shortest.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const last = tail === undefined ? [] : groups(tail);
  const first = groups(head);
  const filled = Array.from({ length: 8 - first.length - last.length }, () => '0');
  const bytes = [...first, ...filled, ...last].map((group) => group.padStart(4, '0')).join('');
  return Buffer.from(bytes, 'hex');
}

function attribute(id: string, value: string): Buffer {
  return der.set(der.sequence(der.objectId(id), der.text(value)));
}

/** RFC 5280, section 4.2.1.2, method 1: of the bits of the key alone, which are an element's last 65 bytes. */
function keyIdentifier(publicKey: KeyObject): Buffer {
  return createHash('sha1').update(subjectPublicKeyInfo(publicKey).subarray(-65)).digest();
}

function subjectPublicKeyInfo(publicKey: KeyObject): Buffer {
  if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new FlotillaError('FLOTILLA_TLS_INVALID', 'certificates are made for keys on P-256 alone');
  }
  return publicKey.export({ type: 'spki', format: 'der' });
}

/** 127 bits: never negative, and never 0 in practice. */
function randomSerialNumber(): bigint {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] as number) & 0x7f;
  return BigInt(`0x${bytes.toString('hex')}`);
}
