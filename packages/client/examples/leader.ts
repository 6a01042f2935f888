/* oxlint-disable no-console */
// One of two programs leads; when it goes, the other one does. Everybody can see who it is.
import { connect } from '@flotilla/client';

const endpoints = process.env['ENDPOINTS'] ?? 'http://127.0.0.1:2379';

async function program(name: string): Promise<void> {
  await using client = connect(endpoints);
  await using leadership = await client.election('example/leader').campaign(name, { ttlSeconds: 10 });
  console.log(`${name} leads`);
  // Whatever a leader does ends with this signal.
  leadership.signal.addEventListener('abort', () => console.log(`${name} has lost the office`));
  await leadership.proclaim(`${name}, at work`);
  const seen = await client.election('example/leader').leader();
  console.log(`leader: ${seen?.text}`);
}

const first = program('a');
await first;
await program('b');
