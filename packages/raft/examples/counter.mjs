// A counter that three processes keep together: `node --import tsx counter.mjs 1`, and the same with 2 and 3.
// `curl -X POST localhost:8001` counts, `curl localhost:8002` reads, at any of them; kill one and go on.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { Replica } from '@flotilla/raft/node';

class Counter {
  value = 0;
  apply(command) {
    this.value += command[0];
    return this.value;
  }
  snapshot() {
    return new TextEncoder().encode(String(this.value));
  }
  async restore(chunks) {
    this.value = Number(await text(chunks));
  }
}

const id = Number(process.argv[2]);
const port = Number(process.env.PORT ?? 8000);
const peers = Object.fromEntries([1, 2, 3].map((peer) => [peer, `127.0.0.1:${port + 100 + peer}`]));
const replica = await Replica.open({ id, dataDir: `counter/n${id}`, peers, stateMachine: new Counter() });
replica.on('fatal', () => process.exit(1));

createServer(async (request, response) => {
  try {
    const counts = request.method === 'POST';
    const value = counts ? await replica.propose(Uint8Array.of(1)) : await replica.read(({ value }) => value);
    response.setHeader('leader', String(replica.status().leader)).end(`${value}\n`);
  } catch (error) {
    response.writeHead(503).end(`${error.code}: ${error.message}\n`);
  }
}).listen(port + id, '127.0.0.1');
process.once('SIGTERM', () => replica.close().then(() => process.exit(0)));
