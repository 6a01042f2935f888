/* oxlint-disable no-console */
// Many programs count in one key, and none of them loses an increment.
import { connect } from '@flotilla/client';
import type { Client } from '@flotilla/client';

const endpoints = process.env['ENDPOINTS'] ?? 'http://127.0.0.1:2379';
const programs = [connect(endpoints), connect(endpoints), connect(endpoints)];

async function increment(client: Client): Promise<number> {
  return client.stm(async (tx) => {
    const next = Number((await tx.get('example/counter'))?.text ?? 0) + 1;
    tx.put('example/counter', String(next));
    return next;
  });
}

await programs[0]?.delete('example/counter');
await Promise.all(
  programs.map(async (client) => {
    for (let i = 0; i < 10; i += 1) await increment(client);
  }),
);
console.log((await programs[0]?.get('example/counter'))?.text);
await Promise.all(programs.map((client) => client.close()));
