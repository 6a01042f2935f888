import { createServer } from 'node:net';

/**
 * The first of `count` neighbouring ports that are free now. Below the ports that the system gives to outgoing
 * connections (from 32768 on Linux), so that none of those takes one in between.
 */
export async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const base = next;
    next = next + count >= 30_000 ? 10_000 : next + count;
    if (await allFree(base, count)) return base;
  }
  throw new Error(`no ${count} neighbouring free ports found`);
}

/** In turn, so that one process never takes a port twice; from anywhere, so that two hardly ever meet. */
let next = 10_000 + Math.floor(Math.random() * 20_000);

async function allFree(base: number, count: number): Promise<boolean> {
  for (let port = base; port < base + count; port += 1) {
    if (!(await isFree(port))) return false;
  }
  return true;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
