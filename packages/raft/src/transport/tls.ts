import { FlotillaError, messageOf } from '@flotilla/platform';
import type {
  Address,
  Connection,
  Listener,
  PeerIdentity,
  Platform,
  Timer,
  TlsOptions,
} from '@flotilla/platform';
import type { NodeId } from '../core/types.ts';
import { CredentialSource } from './credentials.ts';
import type { CredentialFiles, Credentials } from './credentials.ts';
import { transportLimits } from './limits.ts';
import type { ConnectOptions, Transport, TransportFactory } from './types.ts';

/** How {@link tls} tells members apart. */
export interface TlsTransportOptions {
  /**
   * Whether a verified certificate is that of member `id`. By default its common name or one of its subject
   * alternative names must be {@link memberName} of the id. A certificate that is good for every member makes every
   * member able to speak for the others.
   *
   * @example
   * isMember: (identity, id) => identity.subjectAlternativeNames.includes(`spiffe://prod/raft/${id}`)
   */
  readonly isMember?: (identity: PeerIdentity, id: NodeId) => boolean;
  /** How often files are looked at for a renewed certificate. Default 60,000. */
  readonly certificateCheckMs?: number;
}

/**
 * Mutual TLS: both sides show a certificate that `ca` signed, and a certificate speaks for one member only. Host names
 * and addresses in certificates do not matter, because members are known by their ids: a member may move.
 *
 * Another member's certificate is refused with `FLOTILLA_PEER_CERTIFICATE`, one of another authority with
 * `FLOTILLA_TLS_UNTRUSTED`; a member's own that cannot be used makes `listen` reject with `FLOTILLA_TLS_INVALID`.
 *
 * @example
 * const host = await createHost({
 *   ...options,
 *   transport: tls({ certificateFile: 'member-1.pem', keyFile: 'member-1-key.pem', caFile: 'ca.pem' }),
 * });
 */
export function tls(options: (Credentials | CredentialFiles) & TlsTransportOptions): TransportFactory {
  return (platform) => new TlsTransport(platform, options);
}

/** The name by which a certificate speaks for a member: `member-7`. */
export function memberName(id: NodeId): string {
  return `member-${id}`;
}

class TlsTransport implements Transport {
  readonly #platform: Platform;
  readonly #credentials: CredentialSource;
  readonly #isMember: (identity: PeerIdentity, id: NodeId) => boolean;
  readonly #checkMs: number;

  constructor(platform: Platform, options: (Credentials | CredentialFiles) & TlsTransportOptions) {
    this.#platform = platform;
    this.#credentials = new CredentialSource(platform, options);
    this.#isMember = options.isMember ?? hasMemberName;
    this.#checkMs = options.certificateCheckMs ?? transportLimits.certificateCheckMs;
  }

  async listen(address: Address, accept: (connection: Connection) => void): Promise<Listener> {
    const credentials = await this.#credentials.current();
    const tlsOptions = { ...optionsOf(credentials), requireClientCertificate: true };
    const listener = await this.#platform.network.listen(address, { tls: tlsOptions }, accept);
    if (!this.#credentials.mayChange) return listener;
    const renewal = new Renewal(this.#platform, this.#credentials, listener, credentials, this.#checkMs);
    return {
      address: listener.address,
      close: () => {
        renewal.stop();
        return listener.close();
      },
    };
  }

  async connect(address: Address, { timeoutMs }: ConnectOptions): Promise<Connection> {
    const credentials = await this.#credentials.current();
    const tlsOptions = { ...optionsOf(credentials), verifyHost: false };
    return this.#platform.network.connect(address, { tls: tlsOptions, timeoutMs });
  }

  authenticate({ identity, remote }: Connection, peer: NodeId): void {
    if (identity !== null && this.#isMember(identity, peer)) return;
    const names =
      identity === null
        ? 'nobody'
        : [identity.commonName, ...identity.subjectAlternativeNames].filter((name) => name !== '').join(', ');
    throw new FlotillaError(
      'FLOTILLA_PEER_CERTIFICATE',
      `the certificate at ${remote.host}:${remote.port} is for ${names}, not for member ${peer}`,
    );
  }
}

/** Gives a listener the certificates that its files come to hold. */
class Renewal {
  readonly #platform: Platform;
  readonly #credentials: CredentialSource;
  readonly #listener: Listener;
  readonly #checkMs: number;
  #inUse: Credentials;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(
    platform: Platform,
    credentials: CredentialSource,
    listener: Listener,
    inUse: Credentials,
    checkMs: number,
  ) {
    this.#platform = platform;
    this.#credentials = credentials;
    this.#listener = listener;
    this.#inUse = inUse;
    this.#checkMs = checkMs;
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    if (this.#stopped) return;
    this.#timer = this.#platform.timer(this.#checkMs, 'certificate-check', () => {
      this.#platform.spawn('certificate-check', () => this.#check());
    });
  }

  async #check(): Promise<void> {
    const found = await this.#credentials.current();
    if (this.#stopped) return;
    if (found !== this.#inUse) {
      this.#inUse = found;
      try {
        this.#listener.renew?.(optionsOf(found));
        this.#platform.log.info('the certificate was renewed');
      } catch (error) {
        // A key and a certificate that do not fit: one of the two files is not written yet.
        this.#platform.log.warn('a changed certificate cannot be used', { reason: messageOf(error) });
      }
    }
    this.#arm();
  }
}

function optionsOf({ certificate, key, ca }: Credentials): TlsOptions {
  return { certificate, key, ca };
}

function hasMemberName(identity: PeerIdentity, id: NodeId): boolean {
  const name = memberName(id);
  return identity.commonName === name || identity.subjectAlternativeNames.includes(name);
}
