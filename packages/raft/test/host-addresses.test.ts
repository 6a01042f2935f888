import { afterEach, describe, expect, it } from 'vitest';
import type { Address } from '@flotilla/platform';
import type { Host } from '../src/host/types.ts';
import type { NodeId } from '../src/core/types.ts';
import { appendCommand } from '../simulation/host-machine.ts';
import { TestCluster, until } from './host-cluster.ts';

let cluster: TestCluster | null = null;

afterEach(async () => {
  await cluster?.stop();
  cluster = null;
});

type Confusion = (host: Host, peer: NodeId, address: Address, round: number) => void;

/** Many proposals are on their way to the leader whenever its host does that with the one that forwards them. */
async function confuseLeader(dialer: 'leader' | 'follower', confusion: Confusion): Promise<void> {
  cluster = await TestCluster.create(3);
  await cluster.start();
  const [low, high] = [cluster.member(1), cluster.member(3)];
  const [leader, follower] = dialer === 'leader' ? [low, high] : [high, low];
  const elected = await cluster.leader();
  if (elected !== leader) await elected.running.transferLeadership(leader.id, { timeoutMs: 30_000 });
  const address = cluster.addresses.get(follower.id) as Address;
  let over = false;
  let next = 1;
  const client = async (): Promise<void> => {
    while (!over && follower.fatal.length === 0) {
      const value = next;
      next += 1;
      // Some outcomes are unknown, and are told when their time is up.
      await follower.running.propose(appendCommand(value), { timeoutMs: 500 }).catch(() => undefined);
    }
  };
  const clients = Array.from({ length: 40 }, client);
  for (let round = 0; round < 6; round += 1) {
    const before = follower.machine.values.length;
    await until('progress', () => follower.machine.values.length > before + 40 || follower.fatal.length > 0);
    confusion(leader.host as Host, follower.id, address, round);
  }
  over = true;
  await Promise.all(clients);
  for (const { machine, fatal } of cluster.members) {
    expect(fatal).toEqual([]);
    expect(machine.values.length, 'every value once').toBe(new Set(machine.values).size);
  }
}

describe('nothing is applied twice', () => {
  it.each(['leader', 'follower'] as const)(
    'when a leader finds its follower at another address, and the %s dials',
    async (dialer) =>
      confuseLeader(dialer, (host, peer, { port }, round) => {
        host.setPeer(peer, { host: round % 2 === 0 ? 'localhost' : '127.0.0.1', port });
      }),
  );

  it.each(['leader', 'follower'] as const)(
    'when a leader forgets its follower and meets it again, and the %s dials',
    async (dialer) =>
      confuseLeader(dialer, (host, peer, address) => {
        host.removePeer(peer);
        host.setPeer(peer, address);
      }),
  );
});
