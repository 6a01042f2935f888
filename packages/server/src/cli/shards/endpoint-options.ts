import { readFileSync } from 'node:fs';
import { FlotillaError, messageOf, type TlsOptions } from '@flotilla/platform';
import { Auth, callUnary, type CallOptions, type RpcChannel } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { type Command, Option } from 'commander';

/** With etcdctl's names. */
export interface EndpointOptions {
  readonly endpoints: string;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly insecureSkipTlsVerify: boolean;
  readonly user?: string;
  readonly password?: string;
  readonly commandTimeout: string;
}

export type OutputFormat = 'table' | 'json';

export function withEndpointOptions(command: Command): Command {
  return command
    .option('--endpoints <urls>', 'a member, or several of which one is asked', 'http://127.0.0.1:2379')
    .option('--cacert <file>', 'authority that signed the certificates of members')
    .option('--cert <file>', 'certificate to show to members')
    .option('--key <file>', 'key of the certificate')
    .option('--insecure-skip-tls-verify', 'take any certificate', false)
    .option('--user <name[:password]>', 'who asks: root, when auth is on')
    .option('--password <password>', 'of the user')
    .option('--command-timeout <seconds>', 'for questions; what takes its time may take it', '10')
    .addOption(
      new Option('-w, --write-out <format>', 'how to print it').choices(['table', 'json']).default('table'),
    );
}

/** A channel to a cluster, and who speaks. */
export interface Connected {
  readonly channel: RpcChannel;
  /** Of questions. */
  readonly call: CallOptions & { readonly timeoutMs: number };
  /** Of what takes its time. */
  readonly long: CallOptions;
}

/** Runs `use` with a channel, and closes it. */
export async function connected<Result>(
  options: EndpointOptions,
  use: (cluster: Connected) => Promise<Result>,
): Promise<Result> {
  const timeoutMs = secondsOf(options.commandTimeout) * 1_000;
  const tls = tlsOf(options);
  const endpoints = options.endpoints.split(',').map((endpoint) => urlOf(endpoint, tls !== undefined));
  const channel = openHttp2Channel({ endpoints, ...(tls === undefined ? {} : { tls }) });
  try {
    const token = await tokenOf(channel, options, timeoutMs);
    const metadata = token === null ? {} : { token };
    return await use({ channel, call: { timeoutMs, metadata }, long: { metadata } });
  } finally {
    channel.close();
  }
}

async function tokenOf(
  channel: RpcChannel,
  { user, password }: EndpointOptions,
  timeoutMs: number,
): Promise<string | null> {
  if (user === undefined) {
    if (password !== undefined) throw usage('--password needs a --user');
    return null;
  }
  const colon = user.indexOf(':');
  if (colon >= 0 && password !== undefined)
    throw usage('--user has a password already: leave --password out');
  if (colon < 0 && password === undefined)
    throw usage('--user needs a password: NAME:PASSWORD, or --password');
  const name = colon < 0 ? user : user.slice(0, colon);
  const secret = password ?? user.slice(colon + 1);
  const request = { name, password: secret };
  const { token } = await callUnary(channel, Auth.methods.Authenticate, request, { timeoutMs });
  return token;
}

function tlsOf(options: EndpointOptions): Partial<TlsOptions> | undefined {
  const { cacert, cert, key, insecureSkipTlsVerify, endpoints } = options;
  if ((cert === undefined) !== (key === undefined)) throw usage('--cert and --key go together');
  const isSecure = endpoints.split(',').some((endpoint) => endpoint.startsWith('https://'));
  if (cacert === undefined && cert === undefined && !insecureSkipTlsVerify && !isSecure) return undefined;
  return {
    ...(cacert === undefined ? {} : { ca: textOf('--cacert', cacert) }),
    ...(cert === undefined ? {} : { certificate: textOf('--cert', cert) }),
    ...(key === undefined ? {} : { key: textOf('--key', key) }),
    ...(insecureSkipTlsVerify ? { verifyPeer: false, verifyHost: false } : {}),
  };
}

function textOf(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw usage(`${flag} ${JSON.stringify(file)}: ${messageOf(error)}`);
  }
}

function urlOf(endpoint: string, secure: boolean): string {
  if (endpoint.includes('://')) return endpoint;
  return `${secure ? 'https' : 'http'}://${endpoint}`;
}

function secondsOf(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)s?$/.exec(text);
  const seconds = Number(match?.[1]);
  if (match === null || seconds <= 0 || seconds > 86_400) {
    throw usage(`--command-timeout ${JSON.stringify(text)}: must be a number of seconds`);
  }
  return seconds;
}

export function usage(message: string): FlotillaError {
  return new FlotillaError('FLOTILLA_USAGE', message);
}
