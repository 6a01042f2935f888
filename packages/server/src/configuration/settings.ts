/**
 * Every setting of etcd 3.7's server, and what Flotilla has beside them: flag `--NAME`, environment variable `ETCD_NAME`,
 * configuration file key `NAME`.
 *
 * `used` settings do here what they do in etcd. `ignored` ones tune a part that Flotilla does not have (bbolt, zap,
 * Go's profiler, …): they are accepted with a warning. `refused` ones would promise something that is not kept, as
 * a certificate that nothing checks: any value but a harmless one is an error.
 */
export const settings: readonly Setting[] = [
  // Member
  used('name', 'text', 'default', 'name of this member, unique in the cluster'),
  used('data-dir', 'text', '', 'directory of log and state (default: NAME.flotilla)'),
  used('snapshot-count', 'count', '10000', 'entries after which the log may be compacted'),
  used('heartbeat-interval', 'count', '100', 'milliseconds between heartbeats'),
  used('election-timeout', 'count', '1000', 'milliseconds without a leader before an election'),
  used('listen-peer-urls', 'urls', 'http://localhost:2380', 'where to listen for other members'),
  used(
    'listen-client-urls',
    'urls',
    'http://localhost:2379',
    'where to listen for clients: gRPC and HTTP, http, https, unix or unixs',
  ),
  used(
    'listen-client-http-urls',
    'urls',
    '',
    'where to listen for HTTP alone; the client URLs then serve gRPC alone',
  ),
  used('quota-backend-bytes', 'size', '0', 'size of the state at which puts are refused (0: 2 GiB)'),
  used('max-txn-ops', 'count', '128', 'operations permitted in one transaction'),
  used('max-request-bytes', 'count', '1572864', 'largest request of a client'),
  used('max-concurrent-streams', 'count', '4294967295', 'streams that one connection may have open'),
  ignored('wal-dir', 'text', '', 'the log lives in the data directory'),
  deprecated(
    'max-snapshots',
    'count',
    '5',
    '--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8',
  ),
  ignored('max-wals', 'count', '5', 'log segments are freed when they are compacted'),
  ignored('initial-election-tick-advance', 'switch', 'true', 'a lost leader is noticed by its connection'),
  ignored('backend-bbolt-freelist-type', 'text', 'map', 'there is no bbolt'),
  ignored(
    'backend-batch-interval',
    'duration',
    '0',
    'storage commits are batched by size and time of their own',
  ),
  ignored('backend-batch-limit', 'size', '0', 'storage commits are batched by size and time of their own'),
  ignored('grpc-keepalive-min-time', 'duration', '5s', 'pings of clients are always answered'),
  ignored('grpc-keepalive-interval', 'duration', '2h', 'the operating system watches idle connections'),
  ignored('grpc-keepalive-timeout', 'duration', '20s', 'the operating system watches idle connections'),
  ignored('socket-reuse-port', 'switch', 'false', 'one process listens on one port'),
  ignored('socket-reuse-address', 'switch', 'false', 'Node.js reuses addresses in TIME_WAIT'),
  ignored('raft-read-timeout', 'duration', '5s', 'peer connections are watched by heartbeats'),
  ignored('raft-write-timeout', 'duration', '5s', 'peer connections are watched by heartbeats'),
  ignored('memory-mlock', 'switch', 'false', 'pages are left to the operating system'),
  used(
    'snapshot-catchup-entries',
    'count',
    '5000',
    'entries that stay in the log for members that are behind',
  ),

  // Clustering
  used('initial-advertise-peer-urls', 'urls', 'http://localhost:2380', 'peer URLs told to the other members'),
  used('initial-cluster', 'text', '', 'members of a new cluster: NAME=PEER_URL,NAME=PEER_URL,…'),
  used('initial-cluster-state', 'text', 'new', "'new' or 'existing'"),
  used('initial-cluster-token', 'text', 'etcd-cluster', 'keeps clusters with equal members apart'),
  used('advertise-client-urls', 'urls', 'http://localhost:2379', 'client URLs told to clients'),
  used(
    'strict-reconfig-check',
    'switch',
    'true',
    'changes of membership that could cost the quorum are refused',
  ),
  ignored('pre-vote', 'switch', 'true', 'pre-vote is always on'),
  deprecated(
    'v2-deprecation',
    'text',
    'write-only',
    '--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is enforced, ignoring user input',
  ),
  used(
    'discovery-endpoints',
    'urls',
    '',
    'etcd or Flotilla by which the members of a new cluster find each other',
  ),
  used('discovery-token', 'text', '', 'names the new cluster there'),
  used('discovery-request-timeout', 'duration', '5s', 'how long a request to the discovery service may take'),
  used('discovery-insecure-transport', 'switch', 'true', 'false: the discovery service is reached by TLS'),
  used('discovery-insecure-skip-tls-verify', 'switch', 'false', 'believe whoever shows a certificate there'),
  used('discovery-cert', 'text', '', 'certificate shown to the discovery service'),
  used('discovery-key', 'text', '', 'key of that certificate'),
  used('discovery-cacert', 'text', '', 'authorities that sign the certificate of the discovery service'),
  used('discovery-user', 'text', '', 'user there, with or without :PASSWORD'),
  used('discovery-password', 'text', '', 'password of that user'),
  ignored('discovery-fallback', 'text', 'exit', 'there is no v2 proxy'),
  ignored(
    'discovery-dial-timeout',
    'duration',
    '2s',
    'a connection takes as long as the request that needs it',
  ),
  ignored('discovery-keepalive-time', 'duration', '2s', 'the operating system watches idle connections'),
  ignored('discovery-keepalive-timeout', 'duration', '6s', 'the operating system watches idle connections'),
  refused('discovery', 'text', '', 'give --discovery-endpoints or --initial-cluster instead'),
  refused('discovery-proxy', 'text', '', 'give --initial-cluster instead'),
  refused('discovery-srv', 'text', '', 'give --initial-cluster instead'),
  refused('discovery-srv-name', 'text', '', 'give --initial-cluster instead'),
  used(
    'auto-compaction-retention',
    'text',
    '1h',
    "history to keep: hours, a duration ('5m') or, with no default, revisions; 0: all",
  ),
  used('auto-compaction-mode', 'text', 'periodic', "what the retention counts: 'periodic' or 'revision'"),

  // Security: a member that only looked secure would be worse than one that does not start.
  used('cert-file', 'text', '', 'certificate shown to clients, in PEM'),
  used('key-file', 'text', '', 'key of that certificate'),
  used('client-cert-auth', 'switch', 'false', 'clients must show a certificate; its common name is a user'),
  used('trusted-ca-file', 'text', '', 'authorities that sign the certificates of clients'),
  used('client-crl-file', 'text', '', 'list of revoked client certificates'),
  used('client-cert-allowed-hostname', 'text', '', 'host names of which a client certificate must have one'),
  ignored('client-cert-file', 'text', '', 'the gateway needs no connection to its own member'),
  ignored('client-key-file', 'text', '', 'the gateway needs no connection to its own member'),
  used('auto-tls', 'switch', 'false', 'TLS towards clients with a certificate made at the first start'),
  used('peer-cert-file', 'text', '', 'certificate shown to the other members, in PEM'),
  used('peer-key-file', 'text', '', 'key of that certificate'),
  used('peer-client-cert-auth', 'switch', 'false', 'members that connect must show a certificate'),
  used('peer-trusted-ca-file', 'text', '', 'authorities that sign the certificates of members'),
  used('peer-crl-file', 'text', '', 'list of revoked certificates of members'),
  used('peer-cert-allowed-cn', 'text', '', 'common names of which the certificate of a member must have one'),
  used('peer-cert-allowed-hostname', 'text', '', 'the same with host names'),
  used('peer-client-cert-file', 'text', '', 'certificate shown where this member connects, if another one'),
  used('peer-client-key-file', 'text', '', 'key of that certificate'),
  used('peer-auto-tls', 'switch', 'false', 'TLS between members with certificates that nobody verifies'),
  used(
    'peer-skip-client-san-verification',
    'switch',
    'false',
    'a member may connect from an address that its certificate is not for',
  ),
  used(
    'self-signed-cert-validity',
    'count',
    '1',
    'years that certificates made at the first start are good for',
  ),
  used('cipher-suites', 'text', '', "suites of TLS 1.2 that may be used, by Go's names"),
  used('tls-min-version', 'text', 'TLS1.2', 'TLS1.2 or TLS1.3'),
  used('tls-max-version', 'text', '', 'TLS1.2 or TLS1.3; empty: the newest'),
  used('cors', 'text', '*', 'origins that scripts in browsers may come from'),
  used('host-whitelist', 'text', '*', 'host names that HTTP requests without TLS may be meant for'),

  // Auth
  used(
    'auth-token',
    'text',
    'simple',
    "'simple', or 'jwt,sign-method=RS256,pub-key=FILE,priv-key=FILE,ttl=5m'",
  ),
  used('bcrypt-cost', 'count', '10', 'how much work a password is, 4 to 31: twice as much with each'),
  used('auth-token-ttl', 'size', '300', 'seconds after which a simple token that is not used expires'),

  // Profiling, monitoring, logging
  used('log-level', 'text', 'info', 'debug, info, warn, error, panic or fatal'),
  ignored('logger', 'text', 'zap', 'lines of JSON are written as ever'),
  used('log-outputs', 'text', 'default', 'where the log goes: stderr (default), stdout, or files'),
  ignored('log-format', 'text', 'json', 'lines of JSON are written as ever'),
  ignored('disable-log-sampling', 'switch', 'false', 'nothing is sampled'),
  ignored('enable-log-rotation', 'switch', 'false', 'log files are appended to'),
  ignored('log-rotation-config-json', 'text', '', 'log files are appended to'),
  ignored('enable-pprof', 'switch', 'false', "there is no Go runtime; see 'node --cpu-prof'"),
  used('metrics', 'text', 'basic', "'basic', or 'extensive' with how long calls take"),
  used('listen-metrics-urls', 'urls', '', 'where to listen for /metrics and the probes alone'),
  ignored('enable-distributed-tracing', 'switch', 'false', 'there is no tracing'),
  ignored('distributed-tracing-address', 'text', 'localhost:4317', 'there is no tracing'),
  ignored('distributed-tracing-service-name', 'text', 'etcd', 'there is no tracing'),
  ignored('distributed-tracing-instance-id', 'text', '', 'there is no tracing'),
  ignored('distributed-tracing-sampling-rate', 'count', '0', 'there is no tracing'),
  ignored(
    'warning-apply-duration',
    'duration',
    '100ms',
    'slow batches are counted in etcd_server_slow_apply_total',
  ),
  used(
    'warning-unary-request-duration',
    'duration',
    '',
    'unary requests that take longer are logged (empty: none)',
  ),

  // Features
  used('watch-progress-notify-interval', 'duration', '10m', 'time between progress notices to idle watches'),
  used('enable-grpc-gateway', 'switch', 'true', 'serve the JSON gateway'),
  used(
    'corrupt-check-time',
    'duration',
    '0',
    'time between readings of the whole state (0: after a start only)',
  ),
  used('compact-hash-check-time', 'duration', '1m', 'time between comparisons of members (0: never)'),
  ignored('compaction-batch-limit', 'count', '1000', 'compaction is incremental'),
  ignored('compaction-sleep-interval', 'duration', '10ms', 'compaction is incremental'),
  ignored('downgrade-check-time', 'duration', '5s', 'there is no downgrade'),
  ignored(
    'bootstrap-defrag-threshold-megabytes',
    'count',
    '0',
    'Skipping defragmentation, since free pages are used again',
  ),
  used('max-learners', 'count', '1', 'learners that the cluster may have at a time'),
  ignored('feature-gates', 'text', '', "these gates are etcd's"),

  // Unsafe
  ignored('unsafe-no-fsync', 'switch', 'false', 'the log is always synced'),
  used('force-new-cluster', 'switch', 'false', 'keep the data and drop every other member: the last resort'),

  // Flotilla's own
  used(
    'shard-node-lost-after',
    'duration',
    '1m',
    'replicas on a node that was silent for so long are replaced elsewhere',
  ),

  // Gone from etcd itself, and still in the files that people copy
  ignored('enable-v2', 'switch', 'false', 'there is no v2 API'),
  refused('proxy', 'text', 'off', 'there is no v2 proxy'),
  ...['failure-wait', 'refresh-interval', 'dial-timeout', 'write-timeout', 'read-timeout'].map((name) =>
    ignored(`proxy-${name}`, 'count', '0', 'there is no v2 proxy'),
  ),
];

/** How a value is written: `switch` is true or false, `size` an integer that may be negative, `duration` Go's. */
export type SettingKind = 'text' | 'count' | 'size' | 'switch' | 'urls' | 'duration';

export interface Setting {
  readonly name: string;
  readonly kind: SettingKind;
  readonly defaultValue: string;
  readonly effect: 'used' | 'ignored' | 'refused';
  /** Values besides the default that promise nothing, so that no word is said about them. */
  readonly harmless: readonly string[];
  /** What a used setting does; why another has no effect or is refused. */
  readonly note: string;
  /** What is said whenever it is given, also with its default: etcd's own words. */
  readonly deprecation: string | null;
}

const byName = new Map(settings.map((setting) => [setting.name, setting]));

export function findSetting(name: string): Setting | null {
  return byName.get(name) ?? null;
}

/** `max-txn-ops` → `ETCD_MAX_TXN_OPS` */
export function environmentName(name: string): string {
  return `ETCD_${name.replaceAll('-', '_').toUpperCase()}`;
}

/** Whether the value asks for nothing beyond what is done anyway. */
export function asksForNothing(setting: Setting, value: string): boolean {
  return value === '' || value === setting.defaultValue || setting.harmless.includes(value);
}

function used(name: string, kind: SettingKind, defaultValue: string, note: string): Setting {
  return { name, kind, defaultValue, effect: 'used', harmless: [], note, deprecation: null };
}

function ignored(
  name: string,
  kind: SettingKind,
  defaultValue: string,
  note: string,
  harmless: readonly string[] = [],
): Setting {
  return { name, kind, defaultValue, effect: 'ignored', harmless, note, deprecation: null };
}

/** Without effect here, and soon gone from etcd. */
function deprecated(name: string, kind: SettingKind, defaultValue: string, deprecation: string): Setting {
  return { ...ignored(name, kind, defaultValue, deprecation), deprecation };
}

function refused(name: string, kind: SettingKind, defaultValue: string, note: string): Setting {
  return { name, kind, defaultValue, effect: 'refused', harmless: [], note, deprecation: null };
}
