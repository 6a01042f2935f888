import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from './host-cluster.ts';

const example = fileURLToPath(new URL('../examples/counter.mjs', import.meta.url));
const readme = fileURLToPath(new URL('../README.md', import.meta.url));

/** The three processes of the example, on ports that nobody has. */
class Counters {
  readonly #directory = mkdtempSync(join(tmpdir(), 'flotilla-counter-'));
  readonly #processes = new Map<number, ChildProcess>();
  #port = 0;
  output = '';

  async start(): Promise<void> {
    this.#port = await freeBase();
    for (const id of [1, 2, 3]) this.startOne(id);
    await this.read(1);
  }

  startOne(id: number): void {
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), example, String(id)], {
      cwd: this.#directory,
      env: { ...process.env, PORT: String(this.#port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (data: Buffer): void => {
      this.output += data.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    this.#processes.set(id, child);
  }

  /** What a member answers; null: it does not. */
  async ask(id: number, method: 'GET' | 'POST'): Promise<{ value: number; leader: number } | null> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#port + id}/`, { method });
      const value = Number(await response.text());
      return response.ok ? { value, leader: Number(response.headers.get('leader')) } : null;
    } catch {
      return null;
    }
  }

  /** Asks until there is an answer. */
  async read(id: number): Promise<{ value: number; leader: number }> {
    for (const end = Date.now() + 60_000; Date.now() < end;) {
      const answer = await this.ask(id, 'GET');
      if (answer !== null) return answer;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`member ${id} does not answer:\n${this.output}`);
  }

  kill(id: number): Promise<void> {
    return this.#end(id, 'SIGKILL');
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#processes.keys()].map((id) => this.#end(id, 'SIGTERM')));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #end(id: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#processes.get(id);
    this.#processes.delete(id);
    return new Promise((resolve) => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) resolve();
      else {
        child.once('exit', () => resolve());
        child.kill(signal);
      }
    });
  }
}

describe('the example', () => {
  let counters: Counters;
  beforeEach(() => {
    counters = new Counters();
  });
  afterEach(() => counters.stop());

  it('keeps every increment that it acknowledged, while its leader is killed', async () => {
    await counters.start();
    const { leader } = await counters.read(1);
    const others = [1, 2, 3].filter((id) => id !== leader);
    let counting = true;
    let acknowledged = 0;
    let unknown = 0;
    let afterTheKill = 0;
    const clients = [...others, ...others, leader].map(async (id) => {
      while (counting) {
        const answer = await counters.ask(id, 'POST');
        if (answer === null) {
          unknown += 1;
          // Nobody listens at a member that is dead.
          await new Promise((resolve) => setTimeout(resolve, 50));
        } else {
          acknowledged += 1;
          if (answer.leader !== leader) afterTheKill += 1;
        }
      }
    });
    await until('increments', () => acknowledged > 100);
    await counters.kill(leader);
    await until('increments under another leader', () => afterTheKill > 100, 60_000);
    counting = false;
    await Promise.all(clients);
    counters.startOne(leader);
    for (const id of [1, 2, 3]) {
      const { value } = await counters.read(id);
      expect(value).toBeGreaterThanOrEqual(acknowledged);
      expect(value).toBeLessThanOrEqual(acknowledged + unknown);
    }
  });

  it('is the one that the README shows, and fits on a page', () => {
    const source = readFileSync(example, 'utf8');
    expect(readFileSync(readme, 'utf8')).toContain(`\`\`\`js\n${source}\`\`\`\n`);
    expect(source.trimEnd().split('\n').length).toBeLessThan(40);
  });
});

/** A port with three free ones behind it, and three more a hundred further. */
async function freeBase(): Promise<number> {
  for (let base = 20_000 + (process.pid % 20_000); ; base += 10) {
    const ports = [1, 2, 3, 101, 102, 103].map((offset) => base + offset);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
