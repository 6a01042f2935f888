import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CertificatePlan,
  encodeCertificate,
  encodeName,
  pem,
  signatureAlgorithm,
  signed,
} from '../../src/node/tls/certificate.ts';
import { der } from '../../src/node/tls/der.ts';

const DAY_MS = 24 * 3_600_000;

export interface Issued {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly certificate: string;
  readonly key: string;
  readonly serialNumber: string;
}

/** Signs certificates and lists of revoked ones, all in files of one directory. */
export class Authority {
  readonly file: string;
  readonly certificate: string;
  readonly #directory: string;
  readonly #name: { readonly commonName: string };
  readonly #keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };

  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#name = { commonName: name };
    this.#keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    this.file = join(directory, `${name}.pem`);
    this.certificate = pem('CERTIFICATE', this.#sign({ subject: this.#name, purposes: ['authority'] }));
    writeFileSync(this.file, this.certificate);
  }

  /** Writes `NAME.pem` and `NAME-key.pem`, over what is there. */
  issue(name: string, plan: Partial<CertificatePlan> = {}): Issued {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const certificate = pem(
      'CERTIFICATE',
      this.#sign({ subject: { commonName: name }, purposes: ['server', 'client'], publicKey, ...plan }),
    );
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const { serialNumber } = new X509Certificate(certificate);
    return {
      certificateFile: this.write(`${name}.pem`, certificate),
      keyFile: this.write(`${name}-key.pem`, key),
      certificate,
      key,
      serialNumber,
    };
  }

  /** Writes `revoked.crl` in PEM, or in DER as etcd wants it. */
  revoke(serialNumbers: readonly string[], format: 'pem' | 'der' = 'der'): string {
    const list = encodeRevocations(this.#name, this.#keys.privateKey, serialNumbers);
    return this.write('revoked.crl', format === 'der' ? list : pem('X509 CRL', list));
  }

  /** In one step, as tools that renew certificates do. */
  write(name: string, content: string | Buffer): string {
    const path = join(this.#directory, name);
    writeFileSync(`${path}.new`, content);
    renameSync(`${path}.new`, path);
    return path;
  }

  #sign(plan: Partial<CertificatePlan> & Pick<CertificatePlan, 'subject' | 'purposes'>): Buffer {
    const { publicKey, privateKey } = this.#keys;
    return encodeCertificate({
      publicKey,
      issuer: { name: this.#name, publicKey, key: privateKey },
      notBefore: Date.now() - DAY_MS,
      notAfter: Date.now() + 30 * DAY_MS,
      hosts: [],
      ...plan,
    });
  }
}

function encodeRevocations(
  issuer: { readonly commonName: string },
  key: KeyObject,
  serialNumbers: readonly string[],
): Buffer {
  const now = der.time(Date.now());
  const entries = serialNumbers.map((serial) => der.sequence(der.integer(BigInt(`0x${serial}`)), now));
  const body = der.sequence(
    der.integer(1n),
    signatureAlgorithm,
    encodeName(issuer),
    now,
    der.time(Date.now() + DAY_MS),
    ...(entries.length === 0 ? [] : [der.sequence(...entries)]),
  );
  return signed(body, key);
}
