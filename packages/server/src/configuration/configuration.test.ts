import { isFlotillaError } from '@flotilla/platform';
import { describe, expect, test } from 'vitest';
import { configure, parseInitialCluster } from './configuration.ts';
import { parseDuration } from './duration.ts';
import { settings } from './settings.ts';
import { collect } from './sources.ts';

function from(flags: Record<string, string>, environment: Record<string, string> = {}) {
  return collect({ flags: new Map(Object.entries(flags)), environment, file: null });
}

function fromFile(text: string, flags: Record<string, string> = {}) {
  return collect({
    flags: new Map(Object.entries(flags)),
    environment: {},
    file: { path: 'member.yml', text },
  });
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (isFlotillaError(error)) return error.code;
    throw error;
  }
  return 'no error';
}

describe('sources', () => {
  test('a flag wins over its environment variable, with a warning', () => {
    const { values, warnings } = from({ name: 'a' }, { ETCD_NAME: 'b', ETCD_DATA_DIR: 'd' });
    expect(values.get('name')).toBe('a');
    expect(values.get('data-dir')).toBe('d');
    expect(warnings).toEqual(['--name shadows ETCD_NAME']);
  });

  test('a configuration file stands alone', () => {
    const { values, warnings } = fromFile('name: from-file', { name: 'from-flag', 'data-dir': 'd' });
    expect(values.get('name')).toBe('from-file');
    expect(values.has('data-dir')).toBe(false);
    expect(warnings).toHaveLength(2);
  });

  test('an unknown variable or key is a warning', () => {
    expect(from({}, { ETCD_NAMES: 'b' }).warnings).toEqual([
      'unknown environment variable ETCD_NAMES is ignored',
    ]);
    expect(fromFile('names: b').warnings).toEqual(['member.yml: unknown key "names" is ignored']);
  });

  test('what has no effect is a warning unless it asks for nothing', () => {
    expect(from({ 'max-wals': '7' }).warnings).toEqual([
      '--max-wals has no effect: log segments are freed when they are compacted',
    ]);
    expect(from({ 'max-wals': '5', 'log-outputs': 'stderr', logger: 'zap' }).warnings).toEqual([]);
  });

  test('what is deprecated is said in the words of etcd, and its default stays in force', () => {
    const { values, warnings } = from({ 'max-snapshots': '5', 'v2-deprecation': 'gone' });
    expect(warnings).toEqual([
      '--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8',
      '--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is enforced, ignoring user input',
    ]);
    expect(values.size).toBe(0);
  });

  test.each([['discovery', 'http://example.com/x']])('--%s %s is refused, not ignored', (name, value) => {
    expect(codeOf(() => from({ [name]: value }))).toBe('FLOTILLA_UNSUPPORTED_SETTING');
  });

  test('TLS is nested in the file as etcd has it, and its empty sample sections ask for nothing', () => {
    const empty = 'client-transport-security:\n  cert-file:\n  client-cert-auth: false\n';
    expect(fromFile(`${empty}proxy: 'off'\nlog-outputs: [stderr]\n`).warnings).toEqual([]);
    const { values } = fromFile(
      'client-transport-security:\n  cert-file: a\n  client-cert-auth: true\n  trusted-ca-file: b\n' +
        'peer-transport-security:\n  cert-file: c\n  auto-tls: true\n  allowed-cn: [x, y]\n' +
        '  skip-client-san-verification: true\n',
    );
    expect(Object.fromEntries(values)).toEqual({
      'cert-file': 'a',
      'client-cert-auth': 'true',
      'trusted-ca-file': 'b',
      'peer-cert-file': 'c',
      'peer-auto-tls': 'true',
      'peer-cert-allowed-cn': 'x,y',
      'peer-skip-client-san-verification': 'true',
    });
  });

  test('a key of a TLS section that nobody knows is an error: it was to protect something', () => {
    expect(codeOf(() => fromFile('client-transport-security:\n  allowed-cn: x\n'))).toBe(
      'FLOTILLA_CONFIGURATION',
    );
  });

  test('a number in the file keeps all its digits', () => {
    expect(fromFile('quota-backend-bytes: 9007199254740993').values.get('quota-backend-bytes')).toBe(
      '9007199254740993',
    );
  });

  test('no setting is listed twice', () => {
    const names = settings.map((setting) => setting.name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('listen URLs', () => {
  const listeners = (urls: string): unknown =>
    configure(
      new Map([
        ['listen-client-urls', urls],
        ['advertise-client-urls', 'https://db.example:1'],
        ['auto-tls', 'true'],
      ]),
    ).clientListeners;

  test('http and https may be mixed, also on one port', () => {
    expect(listeners('http://127.0.0.1:1,https://[::1]:2,https://127.0.0.1:1')).toEqual([
      { address: { host: '127.0.0.1', port: 1 }, socketPath: null, secure: true, cleartext: true },
      { address: { host: '::1', port: 2 }, socketPath: null, secure: true, cleartext: false },
    ]);
  });

  test.each([
    ['unix:///run/flotilla', '/run/flotilla', false],
    ['unix:/run/flotilla', '/run/flotilla', false],
    ['unixs://localhost:2379', 'localhost:2379', true],
  ])('%s is the socket %s', (url, socketPath, secure) => {
    expect(listeners(url)).toMatchObject([{ socketPath, secure, cleartext: !secure }]);
  });

  test('what is advertised keeps its scheme', () => {
    const values = { 'advertise-client-urls': 'https://db.example:443,http://10.0.0.1:80,unix:/run/x' };
    expect(configure(new Map(Object.entries(values))).advertisedClientUrls).toEqual([
      'https://db.example:443',
      'http://10.0.0.1:80',
      'unix:/run/x',
    ]);
  });
});

describe('configuration', () => {
  test("defaults are etcd's", () => {
    expect(configure(new Map())).toMatchObject({
      name: 'default',
      dataDirectory: 'default.flotilla',
      clientListeners: [{ address: { host: '127.0.0.1', port: 2379 }, secure: false, cleartext: true }],
      peerAddresses: [{ host: '127.0.0.1', port: 2380, secure: false }],
      advertisedClientUrls: ['http://localhost:2379'],
      initialCluster: null,
      heartbeatIntervalMs: 100,
      electionTimeoutMs: 1000,
      maxRequestBytes: 1_572_864,
      maxTransactionOperations: 128,
      quotaBytes: 2 ** 31,
    });
  });

  test.each([
    [{ 'heartbeat-interval': 'x' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'heartbeat-interval': '0' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'shard-node-lost-after': '3s' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'shard-node-lost-after': 'soon' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'heartbeat-interval': '300' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'election-timeout': '60000' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'listen-client-urls': 'http://127.0.0.1:1' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'listen-peer-urls': 'http://example.com:2380' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'listen-peer-urls': 'http://127.0.0.1:2380/path' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'listen-peer-urls': 'http://127.0.0.1' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'listen-peer-urls': 'https://127.0.0.1:2380' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'listen-peer-urls': 'ftp://127.0.0.1:2380' }, 'FLOTILLA_CONFIGURATION'],
    [
      { 'listen-peer-urls': 'http://127.0.0.1:1,https://127.0.0.1:1', 'peer-auto-tls': 'true' },
      'FLOTILLA_CONFIGURATION',
    ],
    [{ 'cert-file': 'a' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'peer-client-key-file': 'a' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'peer-cert-allowed-cn': 'a', 'peer-cert-allowed-hostname': 'b' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'tls-min-version': 'TLS1.1' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'tls-min-version': 'TLS1.3', 'tls-max-version': 'TLS1.2' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'tls-min-version': 'TLS1.3', 'cipher-suites': 'TLS_AES_128_GCM_SHA256' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'cipher-suites': 'ECDHE-RSA-AES128-GCM-SHA256' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'cipher-suites': 'TLS_RSA_WITH_RC4_128_SHA' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'auto-tls': 'true', 'self-signed-cert-validity': '0' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'initial-cluster': 'other=http://127.0.0.1:2380' }, 'FLOTILLA_NAME_NOT_IN_CLUSTER'],
    [{ 'initial-cluster': 'default=http://127.0.0.1:9' }, 'FLOTILLA_PEER_URL_MISMATCH'],
    [{ 'initial-cluster-state': 'old' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'log-level': 'loud' }, 'FLOTILLA_CONFIGURATION'],
    [{ 'auto-compaction-mode': 'revision', 'auto-compaction-retention': '1h' }, 'FLOTILLA_CONFIGURATION'],
  ])('%o is refused with %s', (values, code) => {
    expect(codeOf(() => configure(new Map(Object.entries(values))))).toBe(code);
  });

  test('an initial cluster names members, a name given twice has two URLs', () => {
    expect(parseInitialCluster('b=http://b:1,a=http://a:1,b=http://b:2')).toEqual([
      { name: 'b', peerUrls: ['http://b:1', 'http://b:2'] },
      { name: 'a', peerUrls: ['http://a:1'] },
    ]);
    expect(codeOf(() => parseInitialCluster('a=http://a:1,b=http://a:1'))).toBe('FLOTILLA_CONFIGURATION');
  });

  test('a retention is hours, a duration, or revisions', () => {
    const retention = (values: Record<string, string>) =>
      configure(new Map(Object.entries(values))).autoCompaction;
    expect(retention({ 'auto-compaction-retention': '2' })).toEqual({
      mode: 'periodic',
      retentionMs: 7_200_000,
    });
    expect(retention({ 'auto-compaction-retention': '5m' })).toEqual({
      mode: 'periodic',
      retentionMs: 300_000,
    });
    expect(retention({ 'auto-compaction-mode': 'revision', 'auto-compaction-retention': '9' })).toEqual({
      mode: 'revision',
      retention: 9,
    });
    expect(retention({})).toEqual({ mode: 'periodic', retentionMs: 3_600_000 });
    expect(retention({ 'auto-compaction-retention': '0' })).toBeNull();
    expect(retention({ 'auto-compaction-mode': 'revision' })).toBeNull();
  });

  test('a quota below 0 is none', () => {
    expect(configure(new Map([['quota-backend-bytes', '-1']])).quotaBytes).toBe(Number.MAX_SAFE_INTEGER);
  });
});

test.each([
  ['0', 0],
  ['1m30s', 90_000],
  ['1.5h', 5_400_000],
  ['10ms', 10],
])('the duration %s is %d ms', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each(['', '5', 'm', '1x', '1s2'])('%j is no duration', (text) => {
  expect(codeOf(() => parseDuration(text))).toBe('FLOTILLA_CONFIGURATION');
});
