import type { Connection } from '@flotilla/platform';

const encoder = new TextEncoder();

/** JSON values over a byte stream, one a line: a stream may split and join what was written. */
export class Lines {
  readonly #connection: Connection;
  readonly #decoder = new TextDecoder();
  #rest = '';

  constructor(connection: Connection, received: (value: unknown) => void, closed: () => void = () => {}) {
    this.#connection = connection;
    connection.start({
      data: (chunk) => {
        const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split('\n');
        this.#rest = lines.pop() ?? '';
        for (const line of lines) received(JSON.parse(line));
      },
      drained() {},
      closed,
    });
  }

  send(value: unknown): void {
    this.#connection.write(encoder.encode(`${JSON.stringify(value)}\n`));
  }

  close(): void {
    this.#connection.destroy();
  }
}
