/** Where a listener is, or where to connect to: a host name or IP literal, and a TCP port. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /** Of a Unix socket, which takes the place of host and port. */
  readonly path?: string;
}

/** Keys and certificates in PEM. A connection with them is TLS; the other side's identity is checked against `ca`. */
export interface TlsOptions {
  readonly certificate: string;
  readonly key: string;
  readonly ca?: string;
  /** As a listener: refuse clients without a certificate that `ca` signed. */
  readonly requireClientCertificate?: boolean;
  /**
   * As a dialer: whether the certificate must name the dialed host, which is the default. False leaves it to the caller
   * to compare {@link Connection.identity} with whom it looked for; the authority's signature is checked in any case.
   */
  readonly verifyHost?: boolean;
  /** As a dialer: false takes any certificate, of whomever. That keeps listeners out, not impostors. */
  readonly verifyPeer?: boolean;
  /** TLS 1.2 to the newest, unless one of these says otherwise. */
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
  /** In order of preference, by OpenSSL's names. Naming none of TLS 1.3 turns TLS 1.3 off. */
  readonly cipherSuites?: readonly string[];
  /** ALPN protocols in order of preference. */
  readonly protocols?: readonly string[];
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/**
 * Asked before every handshake, so that what was renewed in between is in use from then on. Answers the same object as
 * long as nothing has changed, and never one that cannot be used.
 */
export type TlsSource = () => TlsOptions;

/** Who the other side of a TLS connection is, from its verified certificate. */
export interface PeerIdentity {
  /** Empty: the certificate has none. */
  readonly commonName: string;
  /** Without their kind: `n1.example`, `127.0.0.1`. */
  readonly subjectAlternativeNames: readonly string[];
  /** In upper-case hexadecimal: of the certificate, then of those that vouch for it. */
  readonly serialNumbers: readonly string[];
}

/** What a connection tells its owner. `closed` comes last and exactly once. */
export interface ConnectionHandler {
  /** Bytes arrived. Chunk borders mean nothing: a stream may be split or joined anywhere. The chunk is the handler's. */
  data(chunk: Uint8Array): void;
  /** The write buffer is empty again, after {@link Connection.write} had answered false. */
  drained(): void;
  /** The stream is over: in order (`null`), or cut (the error says how). */
  closed(error: Error | null): void;
}

/**
 * One side of a byte stream: ordered and lossless until it is closed, as TCP. Nothing is delivered before
 * {@link Connection.start}, so no byte is lost between accept and the owner being ready.
 */
export interface Connection {
  readonly remote: Address;
  /** Of the peer's verified certificate; null without TLS or without a client certificate. */
  readonly identity: PeerIdentity | null;
  /** Why the certificate that the peer has shown proves nothing, where such a one is let in. */
  readonly untrusted?: string;
  /** The ALPN protocol that both sides agreed on, or null. */
  readonly protocol: string | null;
  /** Bytes written here that the stream has not taken yet. */
  readonly bufferedBytes: number;

  start(handler: ConnectionHandler): void;
  /**
   * Queues bytes; the array must not change afterwards. False: more than the high-water mark is buffered, wait for
   * `drained`. On a closed connection the bytes go nowhere.
   */
  write(bytes: Uint8Array): boolean;
  /** Stops `data` until {@link Connection.resume}: back-pressure to the other side. */
  pause(): void;
  resume(): void;
  /** Sends what is buffered, then closes. */
  close(): void;
  /** Closes at once; buffered bytes are lost and the other side sees a reset. */
  destroy(): void;
}

export interface Listener {
  /** The address that is really bound (the port differs from the asked one when that was 0). */
  readonly address: Address;
  /**
   * Other keys and certificates for the connections that are accepted from now on. Throws `FLOTILLA_TLS_INVALID` when
   * they cannot be used, and then keeps the old ones. There only where it listens with TLS.
   */
  renew?(tls: TlsOptions): void;
  /** Stops accepting. Open connections stay open. */
  close(): Promise<void>;
}

/** Byte streams between addresses. */
export interface Network {
  /**
   * Accepts connections at `address`. Rejects with `FLOTILLA_ADDRESS_IN_USE` when the port is taken and
   * `FLOTILLA_ADDRESS_UNAVAILABLE` when the host is not ours. Of a {@link TlsSource} whether client certificates are
   * required is asked once, at the start. `rejected` is told of those whose TLS handshake failed, and why.
   */
  listen(
    address: Address,
    options: {
      readonly tls?: TlsOptions | TlsSource;
      readonly rejected?: (remote: Address, reason: string) => void;
    },
    accept: (connection: Connection) => void,
  ): Promise<Listener>;
  /**
   * Rejects with `FLOTILLA_CONNECT_REFUSED`, `FLOTILLA_CONNECT_FAILED` (time-outs included) or, with TLS,
   * `FLOTILLA_TLS_INVALID` (our certificate) and `FLOTILLA_TLS_UNTRUSTED` (theirs).
   */
  connect(
    address: Address,
    options: { readonly tls?: TlsOptions; readonly timeoutMs: number },
  ): Promise<Connection>;
}
