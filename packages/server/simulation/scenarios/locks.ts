import type { KvLab } from './kv-lab.ts';
import type { KvScenario } from './lab-result.ts';
import { VersionedLock } from './versioned-lock.ts';

/** Scenario 47 of the catalogue: locks over versioned puts, as the courses build them, without sessions. */
export const locks: readonly KvScenario[] = [1, 10].flatMap((clients) =>
  [false, true].map((unreliable) => ({
    number: `47 (${clients} ${clients === 1 ? 'client' : 'clients'}, ${unreliable ? 'lossy' : 'reliable'})`,
    title: `for 2 s a lock never has two holders; «maybe» is settled by reading`,
    options: { members: 3, unreliable },
    play: (lab: KvLab) => contend(lab, clients),
  })),
);

const durationMs = 2_000;

function contend(lab: KvLab, clients: number): void {
  lab.boot();
  const until = lab.now + durationMs;
  const holders = new Set<string>();
  let held = 0;
  for (let i = 0; i < clients; i += 1) {
    lab.client(async (client) => {
      const lock = new VersionedLock(client, 'lock');
      while (lab.now < until) {
        await lock.acquire();
        holders.add(client.name);
        lab.expect(holders.size === 1, `${[...holders].join(' and ')} hold the lock`);
        held += 1;
        await client.sleep(10);
        lab.expect(holders.size === 1, `${[...holders].join(' and ')} hold the lock`);
        holders.delete(client.name);
        await lock.release();
      }
    });
  }
  lab.clientsEnd(60_000);
  lab.expect(held >= clients, `the lock was held ${held} times by ${clients}`);
  lab.finish();
}
