import { openStream } from '@flotilla/wire';
import type { MethodDescriptor } from '@flotilla/wire';
import { toEtcdError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Endpoint } from './endpoint.ts';
import type { RequestOptions, Requester } from './requester.ts';

/**
 * The answers of a call that has many, from one server, which alone can go on with what it has begun: when the connection
 * breaks the call fails. Whoever stops reading them gives the call up.
 */
export async function* answersOf<Request, Response>(
  requester: Requester,
  endpoint: Endpoint,
  descriptor: MethodDescriptor<Request, Response, 'server-stream'>,
  request: Request,
  { signal, timeoutMs }: RequestOptions,
): AsyncGenerator<Response> {
  const release = endpoint.holdStream();
  try {
    const { metadata } = await requester.metadataFor(endpoint, limits.attemptTimeoutMs, null);
    const settings = {
      metadata,
      ...(signal === undefined ? {} : { signal }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
    const stream = openStream(endpoint.channel, descriptor, settings);
    try {
      stream.write(request);
      stream.end();
      for (let answer = await stream.read(); answer !== null; answer = await stream.read()) yield answer;
    } catch (error) {
      throw toEtcdError(error, 'not executed');
    } finally {
      stream.cancel();
    }
  } finally {
    release();
  }
}
