import type { HttpAdmission, HttpGuard } from '../api/http.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { canonicalHost } from '../tls/host-names.ts';
import type { HttpExchange, HttpHeaders, HttpResponse } from './exchange.ts';
import { textResponse } from './exchange.ts';

export interface AccessGuardParts {
  readonly configuration: Pick<Configuration, 'corsOrigins' | 'hostWhitelist' | 'clientTls'>;
  /** Whether users are asked who they are. */
  readonly authEnabled: () => boolean;
}

/**
 * What etcd looks at before it answers HTTP: `--host-whitelist`, so that a web page whose host name was pointed here
 * (DNS rebinding, CVE-2018-5702) gets nothing, and `--cors`, for pages that may.
 */
export class AccessGuard implements HttpGuard {
  readonly #parts: AccessGuardParts;
  readonly #origins: ReadonlySet<string>;
  readonly #hosts: ReadonlySet<string>;

  constructor(parts: AccessGuardParts) {
    const { corsOrigins, hostWhitelist } = parts.configuration;
    this.#parts = parts;
    this.#origins = new Set(corsOrigins);
    this.#hosts = new Set(hostWhitelist.map(canonicalHost));
  }

  admit(exchange: HttpExchange): HttpAdmission {
    const host = hostnameOf(exchange.headers);
    if (!exchange.secure && !this.#hosts.has('*') && !this.#hosts.has(canonicalHost(host))) {
      return { refusal: misdirected(host), headers: {} };
    }
    if (this.#wouldForgetTheUser(exchange)) return { refusal: commonNameIgnored, headers: {} };
    const headers = this.#crossOrigin(exchange.headers['origin']);
    return { refusal: exchange.method === 'OPTIONS' ? preflight : null, headers };
  }

  /** A certificate's common name is a user for gRPC alone; answered as nobody, its owner would not know why. */
  #wouldForgetTheUser({ peer, target }: HttpExchange): boolean {
    if (!target.startsWith('/v3/') || !this.#parts.configuration.clientTls.clientCertAuth) return false;
    return peer.identity !== null && peer.identity.commonName !== '' && this.#parts.authEnabled();
  }

  #crossOrigin(origin: string | undefined): HttpHeaders {
    if (this.#origins.has('*')) return allowed('*');
    return origin !== undefined && this.#origins.has(origin) ? allowed(origin) : {};
  }
}

const preflight: HttpResponse = { status: 200, headers: {}, body: '' };

const commonNameIgnored = textResponse(
  400,
  'CommonName of client sending a request against gateway will be ignored and not used as expected\n',
);

function allowed(origin: string): HttpHeaders {
  return {
    'access-control-allow-methods': 'POST, GET, OPTIONS, PUT, DELETE',
    'access-control-allow-origin': origin,
    'access-control-allow-headers': 'accept, content-type, authorization',
  };
}

function hostnameOf(headers: HttpHeaders): string {
  const host = headers[':authority'] ?? headers['host'] ?? '';
  return /^\[(.*)\](?::[0-9]*)?$/.exec(host)?.[1] ?? host.replace(/:[0-9]*$/, '');
}

function misdirected(host: string): HttpResponse {
  return textResponse(
    421,
    `This member does not answer plain HTTP requests for host ${JSON.stringify(host)} (CVE-2018-5702).\n` +
      'Use https, or add the host name to --host-whitelist.\n',
  );
}
