import { type ClientRequest, type IncomingMessage, request } from 'node:http';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** One request with a whole body. */
export async function ask(
  method: string,
  url: string,
  body = '',
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpAnswer> {
  const exchange = new StreamedRequest(method, url, headers);
  exchange.request.end(body);
  const response = await exchange.response;
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers as HttpAnswer['headers'], body: text };
}

/** A request whose body and answer come in pieces. */
export class StreamedRequest {
  readonly request: ClientRequest;
  readonly response: Promise<IncomingMessage>;
  readonly closed: Promise<void>;
  #rest = '';
  #lines: AsyncIterator<string> | null = null;

  constructor(method: string, url: string, headers: Readonly<Record<string, string>> = {}) {
    this.request = request(url, { method, headers, agent: false });
    this.response = new Promise((resolve, reject) => {
      this.request.once('response', resolve).once('error', reject);
    });
    this.response.catch(() => undefined);
    this.closed = new Promise((resolve) => this.request.once('close', resolve));
  }

  /** The next line of the answer, as JSON; null at its end. */
  async line(): Promise<unknown> {
    this.#lines ??= this.#read()[Symbol.asyncIterator]();
    const next = await this.#lines.next();
    return next.done === true ? null : (JSON.parse(next.value) as unknown);
  }

  async *#read(): AsyncIterable<string> {
    for await (const chunk of await this.response) {
      const lines = `${this.#rest}${String(chunk)}`.split('\n');
      this.#rest = lines.pop() ?? '';
      yield* lines;
    }
  }

  destroy(): void {
    this.request.on('error', () => undefined).destroy();
  }
}
