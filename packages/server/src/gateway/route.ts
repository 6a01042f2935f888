import type { MethodDescriptor } from '@flotilla/wire';

/** What a POST to a path calls. */
export interface GatewayRoute {
  readonly descriptor: MethodDescriptor<unknown, unknown>;
}

export function route<Request, Response>(descriptor: MethodDescriptor<Request, Response>): GatewayRoute {
  // One table holds methods of all types; a route hands messages only to the codecs of its own method.
  return { descriptor: descriptor as unknown as GatewayRoute['descriptor'] };
}
