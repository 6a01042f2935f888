import { spawn } from 'node:child_process';

export interface Answer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Debian's etcdctl. Never through a shell, so that arguments arrive as they are. */
export async function etcdctl(
  endpoints: readonly string[],
  args: readonly string[],
  input = '',
): Promise<Answer> {
  const child = spawn('etcdctl', [`--endpoints=${endpoints.join(',')}`, ...args], {
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
