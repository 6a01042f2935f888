import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FlotillaError, type Logger, messageOf } from '@flotilla/platform';
import { encodeCertificate, pem } from './certificate.ts';

export interface SelfSignedFiles {
  readonly certificate: string;
  readonly key: string;
}

/**
 * The certificate of automatic TLS, `cert.pem` and `key.pem` in `directory` as etcd has them. Made when it is not
 * there, and anew when it has expired, will within the day, or cannot be used: etcd would go on showing it.
 *
 * It keeps listeners out and proves nothing: nobody vouches for it.
 */
export function selfSignedCertificate(
  directory: string,
  hosts: readonly string[],
  years: number,
  log: Logger,
): SelfSignedFiles {
  const files = { certificate: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  const flaw = flawOf(files, Date.now());
  if (flaw === null) return files;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const expires = write(files, hosts, years);
    log.warn('automatically generate certificates', {
      reason: flaw,
      certificate: files.certificate,
      expires,
    });
  } catch (cause) {
    throw new FlotillaError('FLOTILLA_TLS_INVALID', `cannot make ${files.certificate}: ${messageOf(cause)}`, {
      cause,
    });
  }
  return files;
}

const DAY_MS = 24 * 3_600_000;

/** Null: the files can be used. */
function flawOf({ certificate, key }: SelfSignedFiles, nowMs: number): string | null {
  if (!existsSync(certificate) || !existsSync(key)) return 'there is none';
  try {
    const found = new X509Certificate(readFileSync(certificate));
    if (!found.checkPrivateKey(createPrivateKey(readFileSync(key))))
      return 'the key is of another certificate';
    return Date.parse(found.validTo) - DAY_MS < nowMs ? `expires ${found.validTo}` : null;
  } catch (error) {
    return `cannot be read: ${messageOf(error)}`;
  }
}

/** Answers until when it is good. */
function write(files: SelfSignedFiles, hosts: readonly string[], years: number): string {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const name = { organization: 'flotilla' };
  const now = Date.now();
  const notAfter = now + years * 365 * DAY_MS;
  const certificate = encodeCertificate({
    subject: name,
    publicKey,
    issuer: { name, publicKey, key: privateKey },
    notBefore: now,
    notAfter,
    hosts: [...new Set(hosts)],
    purposes: ['server', 'client'],
  });
  // The key first: a certificate that is there has a key that fits it.
  replace(files.key, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  replace(files.certificate, pem('CERTIFICATE', certificate));
  return new Date(notAfter).toISOString();
}

function replace(path: string, content: string): void {
  const temporary = `${path}.new`;
  writeFileSync(temporary, content, { mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, path);
}
