import type { Peer } from '@flotilla/wire';

/** One HTTP request and its answer, whatever server carries it. */
export interface HttpExchange {
  readonly method: string;
  /** With its query: `/health?serializable=true`. */
  readonly target: string;
  /** Names in lower case; several of one name are joined with commas. */
  readonly headers: HttpHeaders;
  readonly peer: Peer;
  /** Whether the connection is encrypted. */
  readonly secure: boolean;

  /** The next piece of the request's body; null at its end. Rejects when the client goes before. One read at a time. */
  read(): Promise<Uint8Array | null>;
  /** Calls back once when the client goes before the answer has ended; at once when it has gone already. */
  onGone(listener: () => void): void;

  /** Sends a whole answer. */
  answer(response: HttpResponse): void;

  /** Begins an answer whose body comes in pieces, and ends with {@link end}. */
  begin(status: number, headers: HttpHeaders): void;
  /** False: wait for {@link drained} before the next. */
  write(piece: string): boolean;
  /** Resolves when the connection takes more; never, when the client has gone. */
  drained(): Promise<void>;
  end(): void;
  /** Written and not yet taken by the connection. */
  readonly unsentBytes: number;
  /** Cuts the connection: what was sent so far must not look like a whole answer. */
  destroy(): void;
}

export type HttpHeaders = Readonly<Record<string, string | undefined>>;

export interface HttpResponse {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly body: string;
}

/** Whoever answers requests. Never rejects. */
export interface HttpHandler {
  handle(exchange: HttpExchange): Promise<void>;
}

export interface HttpTarget {
  readonly path: string;
  readonly query: URLSearchParams;
}

export function parseTarget(target: string): HttpTarget {
  const mark = target.indexOf('?');
  if (mark === -1) return { path: target, query: new URLSearchParams() };
  return { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}

export function jsonResponse(status: number, content: unknown): HttpResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(content) };
}

/** As Go's `http.Error` answers. */
export function textResponse(status: number, body: string): HttpResponse {
  return { status, headers: plainText, body };
}

export const plainText: HttpHeaders = {
  'content-type': 'text/plain; charset=utf-8',
  'x-content-type-options': 'nosniff',
};

/** For every method but GET, HEAD among them, as etcd does. */
export const methodNotAllowed: HttpResponse = {
  status: 405,
  headers: { ...plainText, allow: 'GET' },
  body: 'Method Not Allowed\n',
};

export const pageNotFound: HttpResponse = textResponse(404, '404 page not found\n');
