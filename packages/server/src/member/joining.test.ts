import type { Address } from '@flotilla/platform';
import { expect, test } from 'vitest';
import { VirtualPlatform } from '../../../store/test/virtual-platform.ts';
import { configure } from '../configuration/configuration.ts';
import type { PeerCalls } from '../peer/peer-calls.ts';
import { askToJoin } from './joining.ts';

interface Known {
  readonly isLearner?: boolean;
  /** By the names of those that have met it. */
  readonly metBy?: readonly string[];
  readonly isSilent?: boolean;
}

const names = ['a', 'b', 'c', 'd'];
const portOf = (name: string): number => 2380 + 10 * names.indexOf(name);
const urlOf = (name: string): string => `http://127.0.0.1:${portOf(name)}`;

/** `d` joins a, b and c. */
function join(members: Readonly<Record<string, Known>>): Promise<unknown> {
  const configuration = configure(
    new Map([
      ['name', 'd'],
      ['initial-cluster-state', 'existing'],
      ['initial-cluster', names.map((name) => `${name}=${urlOf(name)}`).join()],
      ['listen-peer-urls', urlOf('d')],
      ['initial-advertise-peer-urls', urlOf('d')],
    ]),
  );
  const call = ({ port }: Address): Promise<Uint8Array> => {
    const asked = names.find((name) => portOf(name) === port) as string;
    if (members[asked]?.isSilent === true) return Promise.reject(new Error('nobody is there'));
    const answer = {
      clusterId: 'c1',
      token: 'etcd-cluster',
      level: 1,
      changedAt: 7,
      members: names.map((name, i) => ({
        nodeId: i + 1,
        memberId: `${i + 1}`,
        name,
        peerUrls: [urlOf(name)],
        clientUrls: [],
        isLearner: members[name]?.isLearner ?? false,
        level: 1,
        isBootstrapped: name === 'd' ? (members['d']?.metBy ?? []).includes(asked) : true,
      })),
    };
    return Promise.resolve(new TextEncoder().encode(JSON.stringify(answer)));
  };
  return askToJoin(new VirtualPlatform(), { call } as unknown as PeerCalls, configuration);
}

test('a member that nobody has met joins', async () => {
  await expect(join({})).resolves.toMatchObject({ self: { nodeId: 4, name: 'd' } });
});

test('one that somebody has met with other data does not, whoever it is', async () => {
  for (const name of ['a', 'b', 'c']) {
    await expect(join({ d: { metBy: [name] } })).rejects.toMatchObject({
      code: 'FLOTILLA_JOIN_REFUSED',
      message: 'member 4 has already been bootstrapped: remove it, and add it anew',
    });
  }
});

test('one that is to vote asks everybody who votes: who is silent may have counted its vote before', async () => {
  await expect(join({ b: { isSilent: true } })).rejects.toMatchObject({
    code: 'FLOTILLA_JOIN_FAILED',
    message: expect.stringContaining('member 2 votes and cannot be asked') as string,
  });
  await expect(join({ b: { isSilent: true, isLearner: true } })).resolves.toBeDefined();
});

test('a learner may join while somebody is away', async () => {
  await expect(join({ b: { isSilent: true }, d: { isLearner: true } })).resolves.toBeDefined();
});
