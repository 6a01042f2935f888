import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './ports.ts';

/** A real etcd of one member: the oracle that answers are compared with. */
export class Etcd {
  readonly endpoint: string;
  readonly #child: ChildProcess;
  readonly directory: string;

  private constructor(child: ChildProcess, endpoint: string, directory: string) {
    this.#child = child;
    this.endpoint = endpoint;
    this.directory = directory;
  }

  /** `data`: a directory that `snapshot restore` has made, if any. */
  static async start(data?: string, flags: readonly string[] = []): Promise<Etcd> {
    const directory = mkdtempSync(join(tmpdir(), 'flotilla-test-etcd-'));
    const port = await freePorts(2);
    const endpoint = `http://127.0.0.1:${port}`;
    const peer = `http://127.0.0.1:${port + 1}`;
    const child = spawn(
      'etcd',
      [
        `--data-dir=${data ?? join(directory, 'data')}`,
        `--listen-client-urls=${endpoint}`,
        `--advertise-client-urls=${endpoint}`,
        `--listen-peer-urls=${peer}`,
        `--initial-advertise-peer-urls=${peer}`,
        `--initial-cluster=default=${peer}`,
        ...flags,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env['PATH'] } },
    );
    await new Promise<void>((resolve, reject) => {
      let text = '';
      child.stderr.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes('ready to serve client requests')) resolve();
      });
      child.once('close', () => reject(new Error(`etcd ended:\n${text}`)));
    });
    return new Etcd(child, endpoint, directory);
  }

  async remove(): Promise<void> {
    const closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill();
    await closed;
    rmSync(this.directory, { recursive: true, force: true });
  }
}
