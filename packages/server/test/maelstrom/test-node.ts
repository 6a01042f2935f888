import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { launcher } from '../support/command.ts';

/** Something that speaks Maelstrom's protocol: lines in, lines out. */
export interface TestNode {
  readonly id: string;
  /** A line of input, without its end. */
  send(line: string): void;
  onLine(listener: (line: string) => void): void;
  /** What it has said to people, for reports of failures. */
  readonly log: readonly string[];
  stop(): Promise<void>;
}

/** `flotilla maelstrom` as a process of its own. Ended as Maelstrom would: with SIGKILL, unless its input ends first. */
export class ProcessNode implements TestNode {
  readonly id: string;
  readonly log: string[] = [];
  readonly child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(id: string, args: readonly string[] = []) {
    this.id = id;
    this.child = spawn(process.execPath, [launcher, 'maelstrom', ...args], { stdio: 'pipe' });
    createInterface({ input: this.child.stderr as NodeJS.ReadableStream }).on('line', (line) =>
      this.log.push(line),
    );
    // Who was killed reads no more.
    this.child.stdin?.on('error', () => undefined);
    this.#ended = new Promise((resolve) => this.child.once('close', () => resolve()));
  }

  send(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  onLine(listener: (line: string) => void): void {
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', listener);
  }

  /** Its input ends, and so does it; what it has kept is removed then. */
  async stop(): Promise<void> {
    this.child.stdin?.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    await this.#ended;
    clearTimeout(timer);
  }
}

const STOP_MS = 10_000;
