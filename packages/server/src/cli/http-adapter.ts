import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import { identityOf } from '@flotilla/platform/node';
import type { Peer } from '@flotilla/wire';
import type { HttpExchange, HttpHandler, HttpHeaders, HttpResponse } from '../http/exchange.ts';

/** Puts the HTTP endpoints behind `node:http`, and behind the requests of `node:http2` that are no gRPC. */
export function httpListener(handler: HttpHandler): RequestListener {
  return (request, response) => {
    void handler.handle(new NodeExchange(request, response));
  };
}

class NodeExchange implements HttpExchange {
  readonly method: string;
  readonly target: string;
  readonly headers: HttpHeaders;
  readonly peer: Peer;
  readonly secure: boolean;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
    this.method = request.method ?? '';
    this.target = request.url ?? '';
    this.headers = request.headers as HttpHeaders;
    const { socket } = request;
    this.peer = {
      remote: { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
      identity: socket instanceof TLSSocket ? identityOf(socket) : null,
    };
    this.secure = socket instanceof TLSSocket;
    // What fails here has lost its client; `close` follows and tells whoever waits.
    request.on('error', ignore);
    response.on('error', ignore);
    // A body that nobody has read whole would hold up the next request of the connection.
    response.on('finish', () => {
      request.removeAllListeners('readable');
      request.resume();
    });
  }

  get unsentBytes(): number {
    return this.#response.writableLength;
  }

  async read(): Promise<Uint8Array | null> {
    const request = this.#request;
    for (;;) {
      const chunk = request.read() as Buffer | null;
      if (chunk !== null) return chunk;
      if (request.readableEnded) return null;
      if (request.destroyed) throw new Error('the client has gone');
      await new Promise<void>((resolve) => {
        const look = (): void => {
          request.off('readable', look).off('end', look).off('close', look);
          resolve();
        };
        request.on('readable', look).on('end', look).on('close', look);
      });
    }
  }

  onGone(listener: () => void): void {
    const response = this.#response;
    if (response.destroyed && !response.writableFinished) listener();
    else {
      response.once('close', () => {
        if (!response.writableFinished) listener();
      });
    }
  }

  answer({ status, headers, body }: HttpResponse): void {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return;
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
    response.end(this.method === 'HEAD' ? undefined : body);
  }

  begin(status: number, headers: HttpHeaders): void {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return;
    response.writeHead(status, { ...headers });
    response.flushHeaders();
  }

  write(piece: string): boolean {
    const response = this.#response;
    return !response.destroyed && !response.writableEnded && response.write(piece);
  }

  drained(): Promise<void> {
    if (!this.#response.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => this.#response.once('drain', resolve));
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }
}

function ignore(): void {}
