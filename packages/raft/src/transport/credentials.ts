import { FlotillaError, messageOf } from '@flotilla/platform';
import type { Disk, Platform } from '@flotilla/platform';
import { transportLimits } from './limits.ts';

/** Who a member is, and whose word it takes for who the others are. All in PEM. */
export interface Credentials {
  /** The member's certificate, followed by those between it and the authority if there are any. */
  readonly certificate: string;
  readonly key: string;
  /** The authorities that sign the certificates of members. A cluster's own, not a public one. */
  readonly ca: string;
}

/** Paths of PEM files with {@link Credentials}. Read again when they change: a certificate is renewed in place. */
export interface CredentialFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly caFile: string;
}

/** Where the credentials of a member come from: given once, or from files that may change. */
export class CredentialSource {
  readonly #platform: Platform;
  readonly #given: Credentials | CredentialFiles;
  #current: Credentials | null = null;

  constructor(platform: Platform, given: Credentials | CredentialFiles) {
    this.#platform = platform;
    this.#given = given;
  }

  /** Whether {@link current} may answer something else the next time. */
  get mayChange(): boolean {
    return 'certificateFile' in this.#given;
  }

  /**
   * The same object as long as nothing has changed. Files that cannot be read any more, as in the middle of a renewal,
   * leave the last credentials in force; at the first time they reject with `FLOTILLA_TLS_INVALID`.
   */
  async current(): Promise<Credentials> {
    const given = this.#given;
    if (!('certificateFile' in given)) return given;
    const { disk, log } = this.#platform;
    try {
      const read: Credentials = {
        certificate: await readText(disk, given.certificateFile),
        key: await readText(disk, given.keyFile),
        ca: await readText(disk, given.caFile),
      };
      if (this.#current === null || !isEqual(read, this.#current)) this.#current = read;
    } catch (cause) {
      const reason = `certificate files cannot be read: ${messageOf(cause)}`;
      if (this.#current === null) throw new FlotillaError('FLOTILLA_TLS_INVALID', reason, { cause });
      log.warn(reason);
    }
    return this.#current;
  }
}

function isEqual(a: Credentials, b: Credentials): boolean {
  return a.certificate === b.certificate && a.key === b.key && a.ca === b.ca;
}

async function readText(disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path, 'read');
  try {
    if (file.size() > transportLimits.certificateFileBytes) {
      throw new FlotillaError('FLOTILLA_TLS_INVALID', `${path} is too large for a certificate or a key`);
    }
    return new TextDecoder().decode(await file.read(0, file.size()));
  } finally {
    await file.close();
  }
}
