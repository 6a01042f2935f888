// Runs the README's start command as a new user would: waits for the `ready` line, writes through one member and
// reads through another, stops with SIGINT, starts again and finds the data still there.
//
//   node scripts/smoke.mjs
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const readyLimitMs = 10_000;
const stopLimitMs = 10_000;
const dataDirectory = mkdtempSync(join(tmpdir(), 'flotilla-smoke-'));

/** Starts the cluster and resolves with its endpoints when it is ready. */
async function start() {
  const startedAt = Date.now();
  const child = spawn('npm', ['start', '--', '--data-dir', dataDirectory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
  const ready = new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('ready ')) resolve(JSON.parse(line.slice('ready '.length)));
    });
    void exited.then((code) => reject(new Error(`npm start ended with ${code} before it was ready`)));
    setTimeout(() => reject(new Error(`no ready line within ${readyLimitMs} ms`)), readyLimitMs).unref();
  });
  try {
    const { endpoints } = await ready;
    console.log(`ready after ${Date.now() - startedAt} ms: ${endpoints.join(' ')}`);
    return { child, exited, endpoints };
  } catch (error) {
    child.kill('SIGINT');
    throw error;
  }
}

async function stop({ child, exited }) {
  child.kill('SIGINT');
  const limit = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`still running ${stopLimitMs} ms after SIGINT`)), stopLimitMs).unref();
  });
  const code = await Promise.race([exited, limit]);
  if (code !== 0) throw new Error(`npm start ended with ${code} after SIGINT`);
}

function etcdctl(endpoint, ...commandLine) {
  const result = spawnSync('etcdctl', ['--endpoints', endpoint, ...commandLine], {
    env: { ...process.env, ETCDCTL_API: '3' },
    encoding: 'utf8',
  });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`etcdctl ${commandLine.join(' ')}: ${result.stderr}`);
  return result.stdout.trim();
}

function expectEqual(actual, expected, what) {
  if (actual !== expected) throw new Error(`${what}: expected ${expected}, got ${actual}`);
}

try {
  const first = await start();
  expectEqual(etcdctl(first.endpoints[0], 'put', 'greeting', 'hello'), 'OK', 'put');
  for (const endpoint of first.endpoints) {
    expectEqual(etcdctl(endpoint, 'get', 'greeting', '--print-value-only'), 'hello', `get from ${endpoint}`);
  }
  await stop(first);
  const second = await start();
  expectEqual(
    etcdctl(second.endpoints[0], 'get', 'greeting', '--print-value-only'),
    'hello',
    'get after a restart',
  );
  await stop(second);
  console.log('start command: works, and finds its data again');
} finally {
  rmSync(dataDirectory, { recursive: true, force: true });
}
