import { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { ProgramRuntime } from '../runtime.ts';

/** `process.stdout` or `process.stderr`: what is written becomes lines in the log of the node. */
export class OutputStream extends Writable {
  readonly fd: 1 | 2;
  readonly isTTY = false;
  readonly #runtime: ProgramRuntime;
  readonly #decoder = new StringDecoder();
  #rest = '';

  constructor(runtime: ProgramRuntime, fd: 1 | 2) {
    super({ autoDestroy: false, emitClose: false });
    this.#runtime = runtime;
    this.fd = fd;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const text = this.#decoder.write(chunk);
    this.#runtime.said = /^\s*(.*)/.exec(text)?.[1] ?? '';
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#print(line);
    done();
  }

  /** What has no line break behind it yet. */
  flush(): void {
    if (this.#rest !== '') this.#print(this.#rest);
    this.#rest = '';
  }

  #print(line: string): void {
    this.#runtime.print(line, this.fd === 1 ? 'info' : 'error');
  }
}
