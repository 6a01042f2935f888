import { type Address, FlotillaError } from '@flotilla/platform';
import * as v from 'valibot';
import { parseDuration } from './duration.ts';
import { settings } from './settings.ts';

/** What a member is started with: parsed, checked, and trusted from here on. */
export interface Configuration {
  readonly name: string;
  readonly dataDirectory: string;
  readonly clientAddresses: readonly Address[];
  readonly peerAddresses: readonly Address[];
  readonly advertisedClientUrls: readonly string[];
  readonly advertisedPeerUrls: readonly string[];
  /** Null: the cluster was not named; a member that has data takes what is stored. */
  readonly initialCluster: readonly InitialMember[] | null;
  readonly initialClusterState: 'new' | 'existing';
  readonly initialClusterToken: string;
  readonly heartbeatIntervalMs: number;
  readonly electionTimeoutMs: number;
  readonly snapshotCount: number;
  readonly quotaBytes: number;
  readonly maxRequestBytes: number;
  readonly maxTransactionOperations: number;
  readonly maxConcurrentStreams: number;
  readonly watchProgressIntervalMs: number;
  readonly autoCompaction: AutoCompaction | null;
  readonly logLevel: LogLevel;
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
  if (raw['listen-peer-urls'].length > 1) {
    throw new FlotillaError('FLOTILLA_UNSUPPORTED_SETTING', '--listen-peer-urls takes one URL');
  }
  const advertisedPeerUrls = raw['initial-advertise-peer-urls'].map(advertisable);
  const initialCluster = raw['initial-cluster'] === '' ? null : parseInitialCluster(raw['initial-cluster']);
  if (initialCluster !== null) checkOwnEntry(initialCluster, raw.name, advertisedPeerUrls);
  return {
    name: raw.name,
    dataDirectory: raw['data-dir'] === '' ? `${raw.name}.flotilla` : raw['data-dir'],
    clientAddresses: raw['listen-client-urls'].map(bindable),
    peerAddresses: raw['listen-peer-urls'].map(bindable),
    advertisedClientUrls: raw['advertise-client-urls'].map(advertisable),
    advertisedPeerUrls,
    initialCluster,
    initialClusterState: raw['initial-cluster-state'],
    initialClusterToken: raw['initial-cluster-token'],
    heartbeatIntervalMs: raw['heartbeat-interval'],
    electionTimeoutMs: raw['election-timeout'],
    snapshotCount: raw['snapshot-count'],
    quotaBytes: effectiveQuota(raw['quota-backend-bytes']),
    maxRequestBytes: raw['max-request-bytes'],
    maxTransactionOperations: raw['max-txn-ops'],
    maxConcurrentStreams: raw['max-concurrent-streams'],
    watchProgressIntervalMs: Math.max(100, parseDuration(raw['watch-progress-notify-interval'])),
    autoCompaction: parseAutoCompaction(raw['auto-compaction-mode'], raw['auto-compaction-retention']),
    logLevel: raw['log-level'],
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
const urls = v.pipe(
  v.string(),
  v.transform((text) => text.split(',').map((part) => part.trim())),
);

/** A small quota of etcd's users, negative, turns the check off. */
const schema = v.object({
  name: v.string(),
  'data-dir': v.string(),
  'snapshot-count': count,
  'heartbeat-interval': count,
  'election-timeout': count,
  'listen-peer-urls': urls,
  'listen-client-urls': urls,
  'quota-backend-bytes': size,
  'max-txn-ops': count,
  'max-request-bytes': count,
  'max-concurrent-streams': count,
  'initial-advertise-peer-urls': urls,
  'initial-cluster': v.string(),
  'initial-cluster-state': v.picklist(['new', 'existing'], "must be 'new' or 'existing'"),
  'initial-cluster-token': v.string(),
  'advertise-client-urls': urls,
  'auto-compaction-retention': v.string(),
  'auto-compaction-mode': v.picklist(['periodic', 'revision'], "must be 'periodic' or 'revision'"),
  'watch-progress-notify-interval': v.string(),
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

function effectiveQuota(given: number): number {
  if (given === 0) return DEFAULT_QUOTA_BYTES;
  return given < 0 ? Number.MAX_SAFE_INTEGER : given;
}

/** A number alone means hours, as in etcd. */
function parseAutoCompaction(mode: 'periodic' | 'revision', retention: string): AutoCompaction | null {
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

function parseUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid(`not a URL: ${JSON.stringify(text)}`);
  }
  if (url.protocol === 'https:') {
    throw new FlotillaError('FLOTILLA_UNSUPPORTED_SETTING', `${text}: TLS is not supported yet`);
  }
  if (url.protocol !== 'http:') throw invalid(`URL scheme must be http: ${text}`);
  if (url.pathname !== '/' || url.search !== '') throw invalid(`URL must not contain a path: ${text}`);
  // `URL` drops the default port of its scheme, which etcd wants to see written.
  if (url.port === '' && !/:80\/?$/.test(text)) {
    throw invalid(`URL address does not have the form "host:port": ${text}`);
  }
  return url;
}

function advertisable(text: string): string {
  const url = parseUrl(text);
  return `http://${url.hostname}:${portOf(url)}`;
}

/** Where to connect to for a URL of the configuration. */
export function addressOf(url: string): Address {
  const parts = parseUrl(url);
  return { host: parts.hostname.replace(/^\[(.*)\]$/, '$1'), port: portOf(parts) };
}

/** etcd binds to IP addresses and `localhost` only; a name could mean another interface tomorrow. */
function bindable(text: string): Address {
  const { host, port } = addressOf(text);
  if (host === 'localhost') return { host: '127.0.0.1', port };
  if (!/^[0-9.]+$/.test(host) && !host.includes(':')) {
    throw invalid(`expected IP in URL for binding (${text})`);
  }
  return { host, port };
}

function portOf(url: URL): number {
  return url.port === '' ? 80 : Number(url.port);
}

function invalid(message: string): FlotillaError {
  return new FlotillaError('FLOTILLA_CONFIGURATION', message);
}
