/* oxlint-disable no-console */
// Put, get, watch: the first minute.
import { connect } from '@flotilla/client';

await using client = connect(process.env['ENDPOINTS'] ?? 'http://127.0.0.1:2379');

const watch = client.watch({ prefix: 'greetings/' });
await watch.ready;

await client.put('greetings/de', JSON.stringify({ text: 'hallo' }));
await client.put('greetings/en', 'hello');
console.log((await client.get('greetings/en'))?.text);
console.log((await client.get('greetings/de'))?.json<{ text: string }>().text);

let changes = 0;
for await (const { type, entry } of watch.events()) {
  console.log(`${type} ${entry.key}`);
  changes += 1;
  if (changes === 2) break;
}

for await (const entry of client.entries({ prefix: 'greetings/' })) console.log(entry.key);
console.log(`${(await client.delete({ prefix: 'greetings/' })).deleted} deleted`);
