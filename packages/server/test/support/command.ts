import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const launcher = fileURLToPath(new URL('../../bin/flotilla.js', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A real `flotilla` process; ended with the test that started it. */
export class FlotillaProcess {
  readonly child: ChildProcess;
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly finished: Promise<Finished>;
  #waiting: { readonly stream: 'stdout' | 'stderr'; readonly found: (line: string) => boolean }[] = [];
  #end: Finished | null = null;

  constructor(
    args: readonly string[],
    options: {
      readonly cwd?: string;
      readonly env?: NodeJS.ProcessEnv;
      readonly launcher?: string;
      /** A command that runs what follows it. */
      readonly under?: readonly string[];
    } = {},
  ) {
    const command = [...(options.under ?? []), process.execPath, options.launcher ?? launcher, ...args];
    this.child = spawn(command[0] as string, command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd,
      env: { ...withoutEtcdVariables(process.env), ...options.env },
    });
    for (const stream of ['stdout', 'stderr'] as const) {
      createInterface({ input: this.child[stream] as NodeJS.ReadableStream }).on('line', (line) => {
        this[stream].push(line);
        this.#waiting = this.#waiting.filter((wait) => wait.stream !== stream || !wait.found(line));
      });
    }
    this.finished = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        this.#end = { code, signal };
        resolve(this.#end);
      });
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get ended(): boolean {
    return this.#end !== null;
  }

  /** The first line that matches, past or future. Rejects when the process ends before it. */
  async line(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<string> {
    const past = this[stream].find((line) => pattern.test(line));
    if (past !== undefined) return past;
    const future = new Promise<string>((resolve) => {
      const found = (line: string): boolean => {
        if (!pattern.test(line)) return false;
        resolve(line);
        return true;
      };
      this.#waiting.push({ stream, found });
    });
    const early = this.finished.then(({ code, signal }) => {
      throw new Error(`ended (${signal ?? code}) before ${pattern}:\n${this.stderr.join('\n')}`);
    });
    return await Promise.race([future, early]);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Finished> {
    if (this.#end === null) this.child.kill(signal);
    return await this.finished;
  }
}

/** The environment of whoever runs the tests must not configure the members under test. */
function withoutEtcdVariables(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('ETCD')));
}
