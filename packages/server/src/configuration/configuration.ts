import { FlotillaError } from '@flotilla/platform';
import * as v from 'valibot';
import { type AuthToken, bcryptCost, parseAuthToken, tokenLifetimeMs } from './auth-settings.ts';
import { type DiscoverySettings, discoverySettings } from './discovery-settings.ts';
import { limits } from '../limits.ts';
import { parseDuration } from './duration.ts';
import {
  advertisable,
  type ListenUrl,
  listenUrls,
  type PeerAddress,
  peerListenAddresses,
} from './listen-url.ts';
import { settings } from './settings.ts';
import { hasCertificate, type TlsSettings, tlsSettings } from './tls-settings.ts';

/** What a member is started with: parsed, checked, and trusted from here on. */
export interface Configuration {
  readonly name: string;
  readonly dataDirectory: string;
  /** gRPC; HTTP too, unless there are {@link httpListeners}. */
  readonly clientListeners: readonly ListenUrl[];
  readonly httpListeners: readonly ListenUrl[];
  /** `/metrics` and the probes, and nothing else. */
  readonly metricsListeners: readonly ListenUrl[];
  /** Where other members are listened to, at least one. */
  readonly peerAddresses: readonly PeerAddress[];
  readonly clientTls: TlsSettings;
  readonly peerTls: TlsSettings;
  /** Origins that a browser's scripts may come from; `*`: any. */
  readonly corsOrigins: readonly string[];
  /** Host names that requests of HTTP without TLS may be meant for; `*`: any. */
  readonly hostWhitelist: readonly string[];
  readonly advertisedClientUrls: readonly string[];
  readonly advertisedPeerUrls: readonly string[];
  /** Null: the cluster was not named; a member that has data takes what is stored. */
  readonly initialCluster: readonly InitialMember[] | null;
  /** Not null: the members of a new cluster find each other there. */
  readonly discovery: DiscoverySettings | null;
  readonly initialClusterState: 'new' | 'existing';
  readonly initialClusterToken: string;
  readonly heartbeatIntervalMs: number;
  readonly electionTimeoutMs: number;
  readonly snapshotCount: number;
  readonly catchUpEntries: number;
  readonly quotaBytes: number;
  readonly maxRequestBytes: number;
  readonly maxTransactionOperations: number;
  readonly maxConcurrentStreams: number;
  readonly strictReconfigCheck: boolean;
  readonly maxLearners: number;
  readonly forceNewCluster: boolean;
  readonly watchProgressIntervalMs: number;
  /** Whether the JSON gateway is served. */
  readonly gateway: boolean;
  /** Whether metrics tell how long calls take. */
  readonly extensiveMetrics: boolean;
  /** Unary requests that take longer are logged; null: none is. */
  readonly slowRequestMs: number | null;
  readonly autoCompaction: AutoCompaction | null;
  /** How often members are compared, and how often one reads its whole state; 0: never. */
  readonly compareStatesMs: number;
  readonly verifyStateMs: number;
  /** A silent node counts as lost after so long, and its replicas of shards are replaced. */
  readonly nodeLostAfterMs: number;
  readonly authToken: AuthToken;
  /** Of a simple token that is not used. */
  readonly authTokenLifetimeMs: number;
  readonly bcryptCost: number;
  readonly logLevel: LogLevel;
  /** `default`, `stderr`, `stdout` or paths of files. */
  readonly logOutputs: readonly string[];
}

export interface InitialMember {
  readonly name: string;
  readonly peerUrls: readonly string[];
}

export type AutoCompaction =
  | { readonly mode: 'periodic'; readonly retentionMs: number }
  | { readonly mode: 'revision'; readonly retention: number };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** etcd's default quota. */
const DEFAULT_QUOTA_BYTES = 2 * 1024 * 1024 * 1024;
/** etcd's bound (`maxElectionMs`). */
const MAX_ELECTION_TIMEOUT_MS = 50_000;

/**
 * Turns raw values into a {@link Configuration}. Every problem is a `FLOTILLA_CONFIGURATION` error that names the
 * flag; the rules are those of etcd's `embed.Config.Validate`.
 */
export function configure(values: ReadonlyMap<string, string>): Configuration {
  if (values.has('listen-client-urls') && !values.has('advertise-client-urls')) {
    throw invalid('--advertise-client-urls is required when --listen-client-urls is set explicitly');
  }
  const raw = parsed(values);
  checkTimes(raw['heartbeat-interval'], raw['election-timeout']);
  const advertisedPeerUrls = raw['initial-advertise-peer-urls'].map(advertisable);
  const tls = tlsSettings(raw);
  const listeners = listenersOf(raw, tls);
  const initialCluster = raw['initial-cluster'] === '' ? null : parseInitialCluster(raw['initial-cluster']);
  const discovery = discoverySettings(raw, initialCluster !== null);
  if (initialCluster !== null) checkOwnEntry(initialCluster, raw.name, advertisedPeerUrls);
  return {
    name: raw.name,
    dataDirectory: raw['data-dir'] === '' ? `${raw.name}.flotilla` : raw['data-dir'],
    ...listeners,
    clientTls: tls.client,
    peerTls: tls.peer,
    corsOrigins: anyOr(raw.cors),
    hostWhitelist: anyOr(raw['host-whitelist']),
    advertisedClientUrls: raw['advertise-client-urls'].map(advertisable),
    advertisedPeerUrls,
    initialCluster,
    discovery,
    initialClusterState: raw['initial-cluster-state'],
    initialClusterToken: discovery?.token ?? raw['initial-cluster-token'],
    heartbeatIntervalMs: raw['heartbeat-interval'],
    electionTimeoutMs: raw['election-timeout'],
    snapshotCount: raw['snapshot-count'],
    catchUpEntries: raw['snapshot-catchup-entries'],
    quotaBytes: effectiveQuota(raw['quota-backend-bytes']),
    maxRequestBytes: raw['max-request-bytes'],
    maxTransactionOperations: raw['max-txn-ops'],
    maxConcurrentStreams: raw['max-concurrent-streams'],
    strictReconfigCheck: raw['strict-reconfig-check'],
    maxLearners: raw['max-learners'],
    forceNewCluster: raw['force-new-cluster'],
    watchProgressIntervalMs: Math.max(100, parseDuration(raw['watch-progress-notify-interval'])),
    gateway: raw['enable-grpc-gateway'],
    extensiveMetrics: raw.metrics === 'extensive',
    slowRequestMs: durationOrNull(raw['warning-unary-request-duration']),
    compareStatesMs: parseDuration(raw['compact-hash-check-time']),
    verifyStateMs: parseDuration(raw['corrupt-check-time']),
    nodeLostAfterMs: nodeLostAfterMs(raw['shard-node-lost-after']),
    autoCompaction: parseAutoCompaction(
      raw['auto-compaction-mode'],
      values.get('auto-compaction-retention') ?? null,
    ),
    authToken: parseAuthToken(raw['auth-token']),
    authTokenLifetimeMs: tokenLifetimeMs(raw['auth-token-ttl']),
    bcryptCost: bcryptCost(raw['bcrypt-cost']),
    logLevel: raw['log-level'],
    logOutputs: raw['log-outputs'],
  };
}

/** The cluster of one that a member makes when it was told of no other. */
export function clusterOfOne(configuration: Configuration): readonly InitialMember[] {
  return [{ name: configuration.name, peerUrls: configuration.advertisedPeerUrls }];
}

/** `n1=http://a:1,n2=http://b:1`; a name given twice has two URLs. */
export function parseInitialCluster(text: string): InitialMember[] {
  const members = new Map<string, string[]>();
  const owners = new Map<string, string>();
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    if (equals < 1) throw invalid(`--initial-cluster: expected NAME=URL, found ${JSON.stringify(part)}`);
    const name = part.slice(0, equals).trim();
    const url = advertisable(part.slice(equals + 1).trim());
    const owner = owners.get(url);
    if (owner !== undefined && owner !== name) {
      throw invalid(`--initial-cluster: ${url} is given to both ${owner} and ${name}`);
    }
    owners.set(url, name);
    members.set(name, [...(members.get(name) ?? []), url]);
  }
  return [...members].map(([name, peerUrls]) => ({ name, peerUrls: [...new Set(peerUrls)].sort() }));
}

/** Sorted and joined, for comparing and for messages. */
export function urlsKey(urls: readonly string[]): string {
  return [...urls].sort().join(',');
}

const count = v.pipe(
  v.string(),
  v.regex(/^[0-9]{1,15}$/, 'must be a positive integer'),
  v.transform(Number),
  v.minValue(1, 'must be a positive integer'),
);
const size = v.pipe(v.string(), v.regex(/^-?[0-9]{1,15}$/, 'must be an integer'), v.transform(Number));
const list = v.pipe(
  v.string(),
  v.transform((text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  ),
);
const switched = v.pipe(
  v.string(),
  v.picklist(['true', 'false'], 'must be true or false'),
  v.transform((text) => text === 'true'),
);

const schema = v.object({
  name: v.string(),
  'data-dir': v.string(),
  'snapshot-count': count,
  'snapshot-catchup-entries': count,
  'heartbeat-interval': count,
  'election-timeout': count,
  'listen-peer-urls': list,
  'listen-client-urls': list,
  'quota-backend-bytes': size,
  'max-txn-ops': count,
  'max-request-bytes': count,
  'max-concurrent-streams': count,
  'strict-reconfig-check': switched,
  'max-learners': count,
  'force-new-cluster': switched,
  'initial-advertise-peer-urls': list,
  'initial-cluster': v.string(),
  'initial-cluster-state': v.picklist(['new', 'existing'], "must be 'new' or 'existing'"),
  'initial-cluster-token': v.string(),
  'discovery-endpoints': list,
  'discovery-token': v.string(),
  'discovery-request-timeout': v.string(),
  'discovery-insecure-transport': switched,
  'discovery-insecure-skip-tls-verify': switched,
  'discovery-cert': v.string(),
  'discovery-key': v.string(),
  'discovery-cacert': v.string(),
  'discovery-user': v.string(),
  'discovery-password': v.string(),
  'advertise-client-urls': list,
  'auto-compaction-retention': v.string(),
  'compact-hash-check-time': v.string(),
  'corrupt-check-time': v.string(),
  'auto-compaction-mode': v.picklist(['periodic', 'revision'], "must be 'periodic' or 'revision'"),
  'watch-progress-notify-interval': v.string(),
  'shard-node-lost-after': v.string(),
  metrics: v.picklist(['basic', 'extensive'], "must be 'basic' or 'extensive'"),
  'enable-grpc-gateway': switched,
  'warning-unary-request-duration': v.string(),
  'listen-client-http-urls': list,
  'listen-metrics-urls': list,
  'cert-file': v.string(),
  'key-file': v.string(),
  'trusted-ca-file': v.string(),
  'client-crl-file': v.string(),
  'client-cert-auth': switched,
  'client-cert-allowed-hostname': list,
  'auto-tls': switched,
  'peer-cert-file': v.string(),
  'peer-key-file': v.string(),
  'peer-client-cert-file': v.string(),
  'peer-client-key-file': v.string(),
  'peer-trusted-ca-file': v.string(),
  'peer-crl-file': v.string(),
  'peer-client-cert-auth': switched,
  'peer-cert-allowed-cn': list,
  'peer-cert-allowed-hostname': list,
  'peer-auto-tls': switched,
  'peer-skip-client-san-verification': switched,
  'self-signed-cert-validity': size,
  'cipher-suites': list,
  'tls-min-version': v.string(),
  'tls-max-version': v.string(),
  cors: list,
  'host-whitelist': list,
  'auth-token': v.string(),
  'auth-token-ttl': size,
  'bcrypt-cost': count,
  'log-outputs': list,
  'log-level': v.pipe(
    v.picklist(
      ['debug', 'info', 'warn', 'error', 'panic', 'fatal'],
      'must be debug, info, warn, error, panic or fatal',
    ),
    // Go's panic level has no meaning of its own here.
    v.transform((level): LogLevel => (level === 'panic' ? 'fatal' : level)),
  ),
});

function parsed(values: ReadonlyMap<string, string>): v.InferOutput<typeof schema> {
  const input: Record<string, string> = {};
  for (const setting of settings) {
    if (setting.effect === 'used') input[setting.name] = values.get(setting.name) ?? setting.defaultValue;
  }
  const result = v.safeParse(schema, input);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const flag = String(issue.path?.[0]?.key);
  throw invalid(`--${flag} ${JSON.stringify(input[flag])}: ${issue.message}`);
}

function durationOrNull(text: string): number | null {
  return text === '' ? null : parseDuration(text);
}

function checkTimes(heartbeatMs: number, electionMs: number): void {
  if (5 * heartbeatMs > electionMs) {
    throw invalid(
      `--election-timeout[${electionMs}ms] should be at least as 5 times as --heartbeat-interval[${heartbeatMs}ms]`,
    );
  }
  if (electionMs > MAX_ELECTION_TIMEOUT_MS) {
    throw invalid(
      `--election-timeout[${electionMs}ms] is too long, and should be set less than ${MAX_ELECTION_TIMEOUT_MS}ms`,
    );
  }
}

function checkOwnEntry(
  cluster: readonly InitialMember[],
  name: string,
  advertisedPeerUrls: readonly string[],
): void {
  const own = cluster.find((member) => member.name === name);
  if (own === undefined) {
    throw new FlotillaError(
      'FLOTILLA_NAME_NOT_IN_CLUSTER',
      `couldn't find local name ${JSON.stringify(name)} in the initial cluster configuration`,
    );
  }
  if (urlsKey(own.peerUrls) !== urlsKey(advertisedPeerUrls)) {
    throw new FlotillaError(
      'FLOTILLA_PEER_URL_MISMATCH',
      `--initial-cluster has ${name}=${urlsKey(own.peerUrls)} but this member has ` +
        `--initial-advertise-peer-urls=${urlsKey(advertisedPeerUrls)}: are two members called ${name}?`,
    );
  }
}

function nodeLostAfterMs(text: string): number {
  const lostAfterMs = parseDuration(text);
  if (lostAfterMs >= limits.nodeSilentMs) return lostAfterMs;
  throw invalid(
    `--shard-node-lost-after ${text}: must be at least ${limits.nodeSilentMs / 1_000}s, after which a node counts as silent`,
  );
}

function effectiveQuota(given: number): number {
  if (given === 0) return DEFAULT_QUOTA_BYTES;
  return given < 0 ? Number.MAX_SAFE_INTEGER : given;
}

/**
 * A number alone means hours, as in etcd. Left out it is an hour of history, where etcd keeps all of it for ever: who
 * wants that says 0. How many revisions would be right nobody can guess.
 */
function parseAutoCompaction(mode: 'periodic' | 'revision', given: string | null): AutoCompaction | null {
  const retention = given ?? (mode === 'periodic' ? '1h' : '0');
  const whole = /^[0-9]+$/.test(retention) ? Number(retention) : null;
  if (whole === 0) return null;
  if (mode === 'revision') {
    if (whole === null)
      throw invalid(`--auto-compaction-retention ${JSON.stringify(retention)}: must be an integer`);
    return { mode, retention: whole };
  }
  const retentionMs = whole === null ? parseDuration(retention) : whole * 3_600_000;
  return retentionMs === 0 ? null : { mode, retentionMs };
}

function listenersOf(
  raw: v.InferOutput<typeof schema>,
  tls: { readonly client: TlsSettings; readonly peer: TlsSettings },
): Pick<Configuration, 'clientListeners' | 'httpListeners' | 'metricsListeners' | 'peerAddresses'> {
  const metricsUrls = raw['listen-metrics-urls'];
  if (metricsUrls.some(isSecure) && !hasCertificate(tls.client)) {
    throw invalid(
      'client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url ' +
        metricsUrls.join(','),
    );
  }
  const served = [...raw['listen-client-urls'], ...raw['listen-client-http-urls']];
  const withoutCertificate = served.find(isSecure);
  if (withoutCertificate !== undefined && !hasCertificate(tls.client)) {
    throw invalid(
      'TLS key/cert (--cert-file, --key-file) must be provided for ' +
        `client url ${withoutCertificate} with HTTPS scheme`,
    );
  }
  const peerUrls = raw['listen-peer-urls'];
  if (peerUrls.length === 0) throw invalid('--listen-peer-urls is empty');
  const securePeerUrl = peerUrls.find(isSecure);
  if (securePeerUrl !== undefined && !hasCertificate(tls.peer)) {
    throw invalid(
      `cannot listen on TLS for ${securePeerUrl}: --peer-key-file and --peer-cert-file are not presented`,
    );
  }
  return {
    clientListeners: listenUrls(raw['listen-client-urls']),
    httpListeners: listenUrls(raw['listen-client-http-urls']),
    metricsListeners: listenUrls(raw['listen-metrics-urls']),
    peerAddresses: peerListenAddresses(peerUrls),
  };
}

function isSecure(url: string): boolean {
  return url.startsWith('https:') || url.startsWith('unixs:');
}

/** Of nothing at all etcd makes everything. */
function anyOr(names: readonly string[]): readonly string[] {
  return names.length === 0 ? ['*'] : names;
}

function invalid(message: string): FlotillaError {
  return new FlotillaError('FLOTILLA_CONFIGURATION', message);
}
