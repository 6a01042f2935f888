import type { Codec } from './codec.ts';

export type MethodKind = 'unary' | 'server-stream' | 'client-stream' | 'bidi';

/** One method of a gRPC service: where it is, what goes in and what comes out. */
export interface MethodDescriptor<
  Request = unknown,
  Response = unknown,
  Kind extends MethodKind = MethodKind,
> {
  /** As in HTTP/2's `:path`: `/etcdserverpb.KV/Range`. */
  readonly path: string;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
  readonly kind: Kind;
}

export interface ServiceDescriptor {
  /** With its package: `etcdserverpb.KV`. */
  readonly name: string;
  readonly methods: Readonly<Record<string, MethodDescriptor<never, never>>>;
}

export function method<Request, Response, Kind extends MethodKind>(
  path: string,
  request: Codec<Request>,
  response: Codec<Response>,
  kind: Kind,
): MethodDescriptor<Request, Response, Kind> {
  return { path, request, response, kind };
}
