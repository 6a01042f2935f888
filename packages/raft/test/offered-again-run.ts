import { SimulatedHosts, valuesPerChunk } from './simulated-hosts.ts';

const values = 10 * valuesPerChunk;
const limits = { snapshotChunkBytes: valuesPerChunk * 4, snapshotResumeMs: 500 };

/** For mutations: a leader that was not told that its snapshot is there offers it again. */
export async function run(): Promise<{
  readonly violation: null | { readonly invariant: string; readonly message: string };
}> {
  try {
    await SimulatedHosts.run({ config: { limits, tailEntries: 100 } }, loseTheAnswer);
    return { violation: null };
  } catch (error) {
    return { violation: { invariant: 'who has a snapshot says so', message: String(error) } };
  }
}

function loseTheAnswer(hosts: SimulatedHosts): void {
  const [behind] = hosts.followers;
  hosts.leaveBehind(behind, values);
  hosts.until('a state', () => behind.group.status().applied >= values);
  // Its answer is on its way, and lost. The leader waits for it no longer than half a second.
  hosts.cutOff(behind);
  hosts.sleep(3_000);
  hosts.heal();
  // It offers the same again.
  hosts.sleep(3_000);
  hosts.append(hosts.leader, 10);
  hosts.converge();
  if (behind.host.metrics.snapshotsReceived !== 1) throw new Error('it was sent again');
}
