import { readFileSync } from 'node:fs';
import { FlotillaError, messageOf, type Platform, type TlsOptions } from '@flotilla/platform';
import { openHttp2Channel } from '@flotilla/wire/node';
import { clusterOfOne, type Configuration } from '../configuration/configuration.ts';
import type { DiscoverySettings } from '../configuration/discovery-settings.ts';
import { discoverCluster } from '../member/discovery.ts';
import { clusterIdentity } from '../member/identity.ts';

/**
 * With the members of the cluster, where those are to be discovered. A member that has data knows its cluster, and asks
 * nobody. Rejects with `FLOTILLA_DISCOVERY_FAILED`.
 */
export async function discovered(platform: Platform, configuration: Configuration): Promise<Configuration> {
  const { discovery, dataDirectory, initialClusterToken } = configuration;
  if (discovery === null || (await platform.disk.exists(`${dataDirectory}/cluster.json`)))
    return configuration;
  const [self] = clusterIdentity(clusterOfOne(configuration), initialClusterToken).members;
  if (self === undefined) return configuration;
  const tls = tlsOf(discovery);
  const channel = openHttp2Channel({
    endpoints: discovery.endpoints,
    ...(tls === null ? {} : { tls }),
  });
  try {
    platform.log.info('Bootstrapping cluster using v3 discovery.', { 'discovery-token': discovery.token });
    const initialCluster = await discoverCluster(platform, channel, discovery, self);
    return { ...configuration, initialCluster };
  } finally {
    channel.close();
  }
}

function tlsOf({ tls }: DiscoverySettings): Partial<TlsOptions> | null {
  if (tls === null) return null;
  const { caFile, certificateFile, keyFile, verify } = tls;
  return {
    ...(caFile === '' ? {} : { ca: read(caFile) }),
    ...(certificateFile === '' ? {} : { certificate: read(certificateFile), key: read(keyFile) }),
    verifyPeer: verify,
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FlotillaError('FLOTILLA_TLS_INVALID', `cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}
