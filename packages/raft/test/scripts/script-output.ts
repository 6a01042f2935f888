const levels = ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'NONE'];

/** What a script's command prints. At the level «none» nothing is printed but errors. */
export class ScriptOutput {
  #lines = '';
  #level = 0;

  get level(): number {
    return this.#level;
  }

  set level(level: number) {
    this.#level = level;
  }

  /** By name, in any case. */
  setLevel(name: string): void {
    const level = levels.indexOf(name.toUpperCase());
    if (level < 0) throw new Error(`log levels must be either of [${levels.join(' ')}]`);
    this.#level = level;
  }

  get quiet(): boolean {
    return this.#level === levels.length - 1;
  }

  write(text: string): void {
    if (!this.quiet) this.#lines += text;
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  /** Two spaces before every line that `print` writes. */
  indented(print: () => void): void {
    const before = this.#lines;
    this.#lines = '';
    print();
    const printed = this.#lines.replace(/\n$/u, '');
    this.#lines = before;
    if (printed !== '') for (const line of printed.split('\n')) this.#lines += `  ${line}\n`;
  }

  take(): string {
    const taken = this.#lines;
    this.#lines = '';
    return taken;
  }
}
