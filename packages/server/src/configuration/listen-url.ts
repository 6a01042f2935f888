import { type Address, FlotillaError } from '@flotilla/platform';

/** Where to listen, from a URL of the configuration. */
export interface ListenUrl {
  /** Nowhere for a Unix socket. */
  readonly address: Address;
  readonly socketPath: string | null;
  /** TLS is served: `https` or `unixs`. */
  readonly secure: boolean;
  /** Who comes without TLS is served: `http` or `unix`. Both, when two URLs name one port. */
  readonly cleartext: boolean;
}

/** Where another member is reached, and whether by TLS. */
export interface PeerAddress extends Address {
  readonly secure: boolean;
}

/** What is served where. URLs of one port and both kinds become one listener, as in etcd. */
export function listenUrls(texts: readonly string[]): ListenUrl[] {
  const listeners = new Map<string, ListenUrl>();
  for (const text of texts) {
    const found = listenUrl(text);
    const key = found.socketPath ?? `${found.address.host}:${found.address.port}`;
    const former = listeners.get(key);
    listeners.set(key, {
      ...found,
      secure: found.secure || former?.secure === true,
      cleartext: found.cleartext || former?.cleartext === true,
    });
  }
  return [...listeners.values()];
}

/** Members tell TLS from plain connections by the port alone. */
export function peerListenAddresses(texts: readonly string[]): PeerAddress[] {
  return listenUrls(texts).map(({ address, socketPath, secure, cleartext }) => {
    if (secure && cleartext)
      throw invalid(`a port of --listen-peer-urls is both http and https: ${texts.join(',')}`);
    return socketPath === null ? { ...address, secure } : { ...address, secure, path: socketPath };
  });
}

/** A URL as it is told to others: scheme, host and port, or the path of a socket; nothing else. */
export function advertisable(text: string): string {
  const parts = parse(text);
  if (parts.socketPath !== null) return text;
  if (parts.host === '') throw invalid(`unexpected empty host (${text})`);
  const host = parts.host.includes(':') ? `[${parts.host}]` : parts.host;
  return `${parts.secure ? 'https' : 'http'}://${host}:${parts.port}`;
}

/** Where to connect to for a URL of the configuration. */
export function addressOf(url: string): PeerAddress {
  const { host, port, secure, socketPath } = parse(url);
  return socketPath === null ? { host, port, secure } : { host, port, secure, path: socketPath };
}

/** etcd binds to IP addresses and `localhost` only; a name could mean another interface tomorrow. */
function listenUrl(text: string): ListenUrl {
  const { host, port, secure, socketPath } = parse(text);
  const kind = { secure, cleartext: !secure };
  if (socketPath !== null) return { address: { host: '', port: 0 }, socketPath, ...kind };
  if (host === 'localhost') return { address: { host: '127.0.0.1', port }, socketPath: null, ...kind };
  if (!/^[0-9.]+$/.test(host) && !host.includes(':')) {
    throw invalid(`expected IP in URL for binding (${text})`);
  }
  return { address: { host, port }, socketPath: null, ...kind };
}

interface Parts {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly socketPath: string | null;
}

function parse(text: string): Parts {
  const scheme = /^([a-z]+):/.exec(text)?.[1] ?? '';
  const secure = scheme === 'https' || scheme === 'unixs';
  if (scheme === 'unix' || scheme === 'unixs') {
    // `unix:///run/socket` and `unix:/run/socket` are absolute; in `unix://socket` the host is part of the path.
    const socketPath = text.slice(scheme.length + 1).replace(/^\/\//, '');
    if (socketPath === '') throw invalid(`URL names no socket: ${text}`);
    return { host: '', port: 0, secure, socketPath };
  }
  if (scheme !== 'http' && scheme !== 'https') {
    throw invalid(`URL scheme must be http, https, unix, or unixs: ${text}`);
  }
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid(`not a URL: ${JSON.stringify(text)}`);
  }
  if (url.pathname !== '/' || url.search !== '') throw invalid(`URL must not contain a path: ${text}`);
  // `URL` drops the default port of its scheme, which etcd wants to see written.
  const port = /:([0-9]{1,5})\/?$/.exec(text)?.[1];
  if (port === undefined) throw invalid(`URL address does not have the form "host:port": ${text}`);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port),
    secure,
    socketPath: null,
  };
}

function invalid(message: string): FlotillaError {
  return new FlotillaError('FLOTILLA_CONFIGURATION', message);
}
