import {
  type Address,
  type Connection,
  FlotillaError,
  type Listener,
  type Network,
  type PeerIdentity,
  type Platform,
  type TlsSource,
} from '@flotilla/platform';
import type { Transport, TransportFactory } from '@flotilla/raft';
import type { PeerAddress } from '../configuration/listen-url.ts';
import { addressRefusalOf, type Resolver } from './admission.ts';
import { canonicalHost } from './host-names.ts';

/** How members meet over TLS. */
export interface PeerTlsOptions {
  /** For addresses that are listened to, and reached, by TLS. */
  readonly listen: TlsSource;
  readonly connect: TlsSource;
  /** Whether TLS is spoken at an address that does not say so. */
  readonly secure: boolean;
  /** Members that connect must show a certificate that an authority vouches for. */
  readonly requireCertificate: boolean;
  /** Why the owner of a verified certificate is no member; null: it may be one. */
  readonly refuse: (identity: PeerIdentity) => string | null;
  /** Not null: a certificate must be good for the address that its owner connects from. */
  readonly resolver: Resolver | null;
}

/**
 * The transport of a cluster whose peer URLs say `https`, with etcd's rules: certificates say that somebody belongs to
 * the cluster, not which member it is. Who is refused is told so over the connection, which is why the handshake lets
 * in whoever speaks TLS: nothing but the refusal comes of a connection that {@link Transport.authenticate} throws for.
 */
export function peerTransport(options: PeerTlsOptions): TransportFactory {
  return (platform) => new PeerTransport(platform, options);
}

class PeerTransport implements Transport {
  readonly #platform: Platform;
  readonly #network: Network;
  readonly #options: PeerTlsOptions;
  readonly #refused = new WeakMap<Connection, string>();

  constructor(platform: Platform, options: PeerTlsOptions) {
    this.#platform = platform;
    this.#network = platform.network;
    this.#options = options;
  }

  listen(address: Address, accept: (connection: Connection) => void): Promise<Listener> {
    const { listen, secure } = this.#options;
    if (!isSecure(address, secure)) return this.#network.listen(address, {}, accept);
    const rejected = (remote: Address, reason: string): void => this.#logRejection(remote, reason);
    return this.#network.listen(address, { tls: listen, rejected }, (connection) => {
      this.#platform.spawn('peer-admission', async () => {
        const reason = await this.#refusalOf(connection);
        if (reason !== null) {
          this.#refused.set(connection, reason);
          this.#logRejection(connection.remote, reason);
        }
        accept(connection);
      });
    });
  }

  async connect(address: Address, { timeoutMs }: { readonly timeoutMs: number }): Promise<Connection> {
    if (!isSecure(address, this.#options.secure)) return await this.#network.connect(address, { timeoutMs });
    const tls = this.#options.connect();
    const connection = await this.#network.connect(address, { timeoutMs, tls });
    const reason = connection.identity === null ? null : this.#options.refuse(connection.identity);
    if (reason !== null) this.#refused.set(connection, reason);
    return connection;
  }

  authenticate(connection: Connection): void {
    const reason = this.#refused.get(connection);
    if (reason === undefined) return;
    const { host, port } = connection.remote;
    throw new FlotillaError(
      'FLOTILLA_PEER_CERTIFICATE',
      `tls: bad certificate of ${host}:${port}: ${reason}`,
    );
  }

  #logRejection({ host, port }: Address, reason: string): void {
    this.#platform.log.warn('rejected connection on peer endpoint', { remote: `${host}:${port}`, reason });
  }

  async #refusalOf({ identity, remote, untrusted }: Connection): Promise<string | null> {
    const { requireCertificate, refuse, resolver } = this.#options;
    if (identity === null) return requireCertificate ? (untrusted ?? 'none was shown') : null;
    const reason = refuse(identity);
    if (reason !== null || resolver === null) return reason;
    return await addressRefusalOf(identity.subjectAlternativeNames, canonicalHost(remote.host), resolver);
  }
}

/** What the URL says; where only an address is known, what this member does itself. */
function isSecure(address: Address, otherwise: boolean): boolean {
  return (address as Partial<PeerAddress>).secure ?? otherwise;
}
