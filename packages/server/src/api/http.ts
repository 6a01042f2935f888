import { messageOf } from '@flotilla/platform';
import type { Gateway } from '../gateway/gateway.ts';
import {
  type HttpExchange,
  type HttpHandler,
  type HttpHeaders,
  type HttpResponse,
  jsonResponse,
  methodNotAllowed,
  pageNotFound,
  parseTarget,
  textResponse,
} from '../http/exchange.ts';
import { API_VERSION } from '../member/version.ts';

/** What answers below a path of its own: health, metrics, and what else a member can be asked by GET. */
export interface HttpEndpoint {
  /** Null: the path is none of this endpoint's. The method is looked at by the endpoint, too. */
  handle(exchange: HttpExchange, path: string, query: URLSearchParams): Promise<HttpResponse | null> | null;
}

/** Looks at a request before anything else does: allowed host names, cross-origin rules. */
export interface HttpGuard {
  admit(exchange: HttpExchange): HttpAdmission;
}

export interface HttpAdmission {
  /** Sent instead of an answer; null: the request may go on. */
  readonly refusal: HttpResponse | null;
  /** Sent with whatever is answered. */
  readonly headers: HttpHeaders;
}

export interface HttpApiOptions {
  readonly endpoints: readonly HttpEndpoint[];
  /** Null: this port has none, or `--enable-grpc-gateway=false`. */
  readonly gateway: Gateway | null;
  readonly guard?: HttpGuard;
}

/** What a client port answers besides gRPC. */
export class HttpApi implements HttpHandler {
  readonly #options: HttpApiOptions;

  constructor(options: HttpApiOptions) {
    this.#options = options;
  }

  async handle(exchange: HttpExchange): Promise<void> {
    const { gateway, guard } = this.#options;
    const admission = guard?.admit(exchange) ?? open;
    const admitted =
      Object.keys(admission.headers).length === 0 ? exchange : withHeaders(exchange, admission.headers);
    if (admission.refusal !== null) {
      admitted.answer(admission.refusal);
      return;
    }
    const { path, query } = parseTarget(exchange.target);
    if (gateway !== null && (await gateway.serve(path, admitted))) return;
    admitted.answer(await this.#page(admitted, path, query));
  }

  async #page(exchange: HttpExchange, path: string, query: URLSearchParams): Promise<HttpResponse> {
    try {
      for (const endpoint of this.#options.endpoints) {
        const response = await endpoint.handle(exchange, path, query);
        if (response !== null) return response;
      }
      return pageNotFound;
    } catch (error) {
      return textResponse(500, `${messageOf(error)}\n`);
    }
  }
}

/** `/version`, as etcd answers it. */
export const versionEndpoint: HttpEndpoint = {
  handle({ method }, path) {
    if (path !== '/version') return null;
    return Promise.resolve(method === 'GET' ? jsonResponse(200, version) : methodNotAllowed);
  },
};

const version = { etcdserver: API_VERSION, etcdcluster: API_VERSION, storage: API_VERSION };
const open: HttpAdmission = { refusal: null, headers: {} };

function withHeaders(exchange: HttpExchange, more: HttpHeaders): HttpExchange {
  // The prototype keeps everything else, private fields included, where it is.
  return {
    method: exchange.method,
    target: exchange.target,
    headers: exchange.headers,
    peer: exchange.peer,
    secure: exchange.secure,
    read: () => exchange.read(),
    onGone: (listener) => exchange.onGone(listener),
    answer: (response) => exchange.answer({ ...response, headers: { ...more, ...response.headers } }),
    begin: (status, headers) => exchange.begin(status, { ...more, ...headers }),
    write: (piece) => exchange.write(piece),
    drained: () => exchange.drained(),
    end: () => exchange.end(),
    get unsentBytes() {
      return exchange.unsentBytes;
    },
    destroy: () => exchange.destroy(),
  };
}
