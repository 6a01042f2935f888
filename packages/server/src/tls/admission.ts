import type { PeerIdentity } from '@flotilla/platform';
import type { TlsSettings } from '../configuration/tls-settings.ts';
import { isGoodFor, isIpAddress } from './host-names.ts';
import { canonicalSerialNumber, type Revocations } from './revocations.ts';

/**
 * Why the owner of a certificate that an authority vouches for is not let in all the same; null: it is. Revocation is
 * etcd's: a serial number on the list, of the certificate or of one that vouches for it.
 */
export function refusalOf(
  identity: PeerIdentity,
  rules: Pick<TlsSettings, 'allowedCommonNames' | 'allowedHostnames'>,
  revocations: Revocations,
): string | null {
  const revoked = identity.serialNumbers.find((serial) => revocations.has(canonicalSerialNumber(serial)));
  if (revoked !== undefined) return `certificate serial ${revoked.toLowerCase()} revoked`;
  const { allowedCommonNames, allowedHostnames } = rules;
  if (allowedCommonNames.length > 0 && !allowedCommonNames.includes(identity.commonName)) {
    return `client certificate authentication failed: common name ${JSON.stringify(identity.commonName)} is not allowed`;
  }
  const names = identity.subjectAlternativeNames;
  if (allowedHostnames.length > 0 && !allowedHostnames.some((host) => isGoodFor(names, host))) {
    return `client certificate authentication failed: it is for ${listed(names)}, and none of these is allowed`;
  }
  return null;
}

/** What the system knows of names and addresses; nothing, where it knows nothing. */
export interface Resolver {
  namesOf(address: string): Promise<readonly string[]>;
  addressesOf(name: string): Promise<readonly string[]>;
}

/**
 * Why a certificate is not good for the address that its owner connects from; null: it is. By etcd's rule
 * (`checkCertSAN`) the address must be one that the certificate names, or that one of its names resolves to; a
 * certificate that names nothing is good for every address.
 */
export async function addressRefusalOf(
  names: readonly string[],
  address: string,
  resolver: Resolver,
): Promise<string | null> {
  if (names.length === 0 || isGoodFor(names, address)) return null;
  const hosts = names.filter((name) => !isIpAddress(name));
  if (hosts.length === 0) return `x509: certificate is valid for ${listed(names)}, not ${address}`;
  const known = await resolver.namesOf(address);
  if (known.some((name) => isGoodFor(hosts, name))) return null;
  for (const host of hosts) {
    if (host.startsWith('*.')) continue;
    if (isGoodFor(await resolver.addressesOf(host), address)) return null;
  }
  return `${JSON.stringify(address)} does not match any of DNSNames ${listed(hosts)}`;
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.join(', ');
}
