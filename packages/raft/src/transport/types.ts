import type { Address, Connection, Listener, Platform } from '@flotilla/platform';
import type { NodeId } from '../core/types.ts';

/**
 * Carries bytes between members. The host opens one stream per pair of members over it (the member with the lower id
 * connects) and frames and checksums what it says there itself: a transport owes it nothing but ordered bytes
 * that are either delivered or cut off with the stream, and, when it knows who is at the other end, its word for that.
 *
 * {@link tcp} and {@link tls} are ready to use. Run `transportConformance` of `@flotilla/raft/conformance` against your
 * own.
 *
 * @example
 * const viaProxy: TransportFactory = (platform) => ({
 *   listen: (address, accept) => platform.network.listen(address, {}, accept),
 *   connect: (address, { timeoutMs }) => connectThroughProxy(address, timeoutMs),
 * });
 */
export interface Transport {
  /**
   * Accepts connections at `address` until the listener is closed. Rejects with `FLOTILLA_ADDRESS_IN_USE` or
   * `FLOTILLA_ADDRESS_UNAVAILABLE`. `accept` is never called before the promise has resolved.
   */
  listen(address: Address, accept: (connection: Connection) => void): Promise<Listener>;
  /**
   * A stream to `peer`, which listens at `address`. Rejects with `FLOTILLA_CONNECT_REFUSED` or
   * `FLOTILLA_CONNECT_FAILED`, the latter after `timeoutMs` at the latest; any other code that it rejects with is
   * logged, and the host dials again in every case.
   */
  connect(address: Address, options: ConnectOptions): Promise<Connection>;
  /**
   * Throws unless the other end of `connection` has
   * shown that it is `peer`; the connection is refused with `FLOTILLA_PEER_CERTIFICATE` and the error's message. Asked once for every connection in both directions: by who connected before a byte is
   * sent, by who accepted when the other side has said who it claims to be. Absent: whoever can connect is believed.
   */
  authenticate?(connection: Connection, peer: NodeId): void;
}

/** Whom to reach, and how long to try. */
export interface ConnectOptions {
  /** Who is expected there. */
  readonly peer: NodeId;
  readonly timeoutMs: number;
}

/** Makes the transport of one member, over what its platform offers. */
export type TransportFactory = (platform: Platform) => Transport;
