import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { messageOf } from '@flotilla/platform';
import type { HttpApi } from '../api/http.ts';

/** Puts the HTTP endpoints behind `node:http`. Bodies of requests are read and dropped: no endpoint takes one. */
export function httpListener(api: HttpApi): RequestListener {
  return (request, response) => {
    request.resume();
    void answer(api, request, response);
  };
}

async function answer(api: HttpApi, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const { status, headers, body } = await api.handle({
      method: request.method ?? '',
      target: request.url ?? '',
    });
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
    response.end(request.method === 'HEAD' ? undefined : body);
  } catch (error) {
    if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(`${messageOf(error)}\n`);
  }
}
