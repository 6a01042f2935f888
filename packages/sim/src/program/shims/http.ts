import * as http from 'node:http';
import type { ProgramRuntime } from '../runtime.ts';
import { trackedModule } from '../tracked.ts';
import { ProgramServer } from './server.ts';
import { ProgramSocket } from './socket.ts';

const { Agent, ClientRequest, IncomingMessage, OutgoingMessage, Server, ServerResponse } = { ...http };

type Callback = (...values: unknown[]) => void;

/**
 * `node:http`: Node's own parser, messages and agents over the sockets of the simulated network. What it does by timers
 * of its own is left out: it ends no request that takes too long to come in (`headersTimeout`, `requestTimeout`).
 */
export function httpOf(runtime: ProgramRuntime): Record<string, unknown> {
  class ProgramAgent extends Agent {
    override createConnection(options: object): ReturnType<http.Agent['createConnection']> {
      return new ProgramSocket(runtime).connect(options);
    }
  }
  const globalAgent = new ProgramAgent({ keepAlive: true, scheduling: 'lifo', timeout: 5000 });
  const request = (...values: unknown[]): http.ClientRequest => {
    const [url, options, done] = requestArguments(values);
    const given = options.agent === false ? new ProgramAgent() : (options.agent ?? globalAgent);
    return Reflect.construct(ClientRequest, [...(url === null ? [] : [url]), { ...options, agent: given }, done]) as http.ClientRequest; // prettier-ignore
  };
  const get = (...values: unknown[]): http.ClientRequest => {
    const made = request(...values);
    made.end();
    return made;
  };
  class HttpServer extends Server {
    readonly #inner: ProgramServer;

    constructor(...values: unknown[]) {
      super(...(values as []));
      // Not the listener by which Node looks after its connections with a timer of the machine.
      this.removeAllListeners('listening');
      this.#inner = new ProgramServer(runtime, { allowHalfOpen: true });
      this.#inner.on('connection', (socket) => this.emit('connection', socket));
      for (const event of ['listening', 'error', 'close', 'drop']) {
        this.#inner.on(event, (value) => this.emit(event, value));
      }
      for (const event of ['request', 'checkContinue', 'checkExpectation'] as const) {
        this.prependListener(event, (_request, response) => stamp(runtime, response));
      }
      Object.defineProperty(this, 'listening', { get: () => this.#inner.listening });
    }

    override listen(...values: unknown[]): this {
      const last = values.at(-1);
      if (typeof last === 'function') this.once('listening', values.pop() as Callback);
      this.#inner.listen(...values);
      return this;
    }

    override close(done?: (error?: Error) => void): this {
      this.#inner.close(done);
      this.closeIdleConnections();
      return this;
    }

    override closeIdleConnections(): void {
      for (const socket of this.#inner.sockets) if (isIdle(socket)) socket.destroy();
    }

    override closeAllConnections(): void {
      for (const socket of this.#inner.sockets) socket.destroy();
    }

    override address(): ReturnType<ProgramServer['address']> {
      return this.#inner.address();
    }

    override getConnections(done: (error: Error | null, count: number) => void): this {
      this.#inner.getConnections(done);
      return this;
    }

    override ref(): this {
      this.#inner.ref();
      return this;
    }

    override unref(): this {
      this.#inner.unref();
      return this;
    }
  }
  const own = {
    Agent: ProgramAgent, ClientRequest, IncomingMessage, OutgoingMessage, Server: HttpServer, ServerResponse, get, globalAgent, request,
    createServer: (...values: unknown[]) => new HttpServer(...values),
  }; // prettier-ignore
  return trackedModule(runtime, 'node:http', http, {
    own,
    pure: ['METHODS', 'STATUS_CODES', 'maxHeaderSize', 'validateHeaderName', 'validateHeaderValue'],
  });
}

/** Node would ask the clock of the machine for the date of a response. */
function stamp(runtime: ProgramRuntime, response: http.ServerResponse): void {
  Object.defineProperty(response, 'sendDate', { get: () => false, set() {} });
  response.setHeader('Date', new Date(runtime.platform.wallClock()).toUTCString());
}

/** Whether no request is under way on a connection. */
function isIdle(socket: ProgramSocket): boolean {
  const message: unknown = Reflect.get(socket, '_httpMessage');
  return (message === null || message === undefined) && socket.bytesWritten > 0;
}

/** `request(url, options, done)`: the first two may be one or the other. */
function requestArguments(
  values: readonly unknown[],
): [url: string | URL | null, options: http.RequestOptions, done: unknown] {
  const rest = [...values];
  const url = typeof rest[0] === 'string' || rest[0] instanceof URL ? (rest.shift() as string | URL) : null;
  const options =
    typeof rest[0] === 'object' && rest[0] !== null ? (rest.shift() as http.RequestOptions) : {};
  return [url, options, rest[0]];
}
