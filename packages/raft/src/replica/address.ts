import { FlotillaError } from '@flotilla/platform';
import type { Address } from '@flotilla/platform';
import { replicaLimits } from './limits.ts';

/**
 * The address in a text such as `10.0.0.1:7000`, `raft-1.example:7000` or `[::1]:7000`. Throws `FLOTILLA_CONFIG_INVALID`.
 *
 * @example
 * parseAddress('127.0.0.1:7000') // { host: '127.0.0.1', port: 7000 }
 */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  if (match === null || port > 65_535 || host.length > replicaLimits.hostNameBytes) {
    throw new FlotillaError(
      'FLOTILLA_CONFIG_INVALID',
      `${JSON.stringify(text)} is no address: write host:port`,
    );
  }
  return { host, port };
}

/**
 * The text of an address, as {@link parseAddress} reads it.
 *
 * @example
 * formatAddress({ host: '::1', port: 7000 }) // '[::1]:7000'
 */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
