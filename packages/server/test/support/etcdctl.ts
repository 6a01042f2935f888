import { spawn } from 'node:child_process';
import { topology } from './sharded/topology.ts';

export interface Answer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** On a machine that is busy its few seconds may be too few; while shards move even to connect. */
const patience =
  topology === null
    ? ['--command-timeout=30s']
    : ['--command-timeout=60s', '--dial-timeout=60s', '--keepalive-timeout=60s'];

/** Runs Debian's etcdctl. Never through a shell, so that arguments arrive as they are. */
export async function etcdctl(
  endpoints: readonly string[],
  args: readonly string[],
  input = '',
): Promise<Answer> {
  const child = spawn('etcdctl', [`--endpoints=${endpoints.join(',')}`, ...patience, ...args], {
    env: { PATH: process.env['PATH'], ETCDCTL_API: '3' },
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}
