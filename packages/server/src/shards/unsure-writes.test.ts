import { FlotillaError, isFlotillaError } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import { noOrigin, type Origin, type RequestEntry } from '@flotilla/store';
import { PutRequest, PutResponse } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { VirtualPlatform } from '../../../store/test/virtual-platform.ts';
import { backendOf } from '../../test/support/memory-backend.ts';
import { MemoryShards } from '../../test/support/memory-shards.ts';
import { encodeSubmitAnswer, type SubmitAnswer } from './node-messages.ts';
import { ShardSubmitter } from './shard-submitter.ts';

const put = PutRequest.encode(PutRequest.create({ key: Buffer.from('x'), value: Buffer.from('v') }));

/** A member whose first try is carried out, or lost, and whose answer is lost; then come these errors. */
async function afterUnsure(isCarriedOut: boolean, errors: readonly string[]): Promise<unknown> {
  const shards = new MemoryShards(2, 1, ['m'], 1);
  const [node] = shards.nodes as [(typeof shards.nodes)[number]];
  const backend = backendOf(shards, node, { timeoutMs: 200, mayEverything: () => true });
  const submit = node.submit.bind(node);
  let tries = 0;
  node.submit = async (shard, entry) => {
    tries += 1;
    if (tries === 1) {
      if (isCarriedOut) await submit(shard, entry);
      throw new FlotillaError('FLOTILLA_SHARD_UNREACHABLE', 'it does not answer');
    }
    const error = errors[tries - 2];
    if (error === 'overloaded' || error === 'auth-revision') return { kind: 'refused', reason: error };
    if (error !== undefined) throw new FlotillaError(error as 'FLOTILLA_NO_LEADER', 'nothing was proposed');
    return await submit(shard, entry);
  };
  return await shards.run(backend.execute('put', put, noOrigin)).catch((error: unknown) => error);
}

describe('a write whose first try is not known to have failed', () => {
  const refusals = [
    'FLOTILLA_NO_LEADER',
    'FLOTILLA_TOO_MANY_PROPOSALS',
    'overloaded',
    'auth-revision',
    'FLOTILLA_PROPOSAL_TIMEOUT',
  ];

  test('is answered as it was executed, whatever further tries are refused with', async () => {
    expect(await afterUnsure(true, refusals)).toMatchObject({
      kind: 'put',
      response: { header: { revision: 2 } },
    });
    expect(await afterUnsure(false, refusals)).toMatchObject({ kind: 'put' });
  });

  test('times out when nothing more is heard of it: no error says that nothing was done', async () => {
    for (const refusal of refusals) {
      const error = await afterUnsure(
        true,
        Array.from({ length: 1_000 }, () => refusal),
      );
      expect([refusal, isFlotillaError(error, 'FLOTILLA_PROPOSAL_TIMEOUT')]).toEqual([refusal, true]);
    }
  });
});

test('a write that is not known to have failed goes on as its user is known by now', async () => {
  const shards = new MemoryShards(2, 1, ['m'], 1);
  const [node] = shards.nodes as [(typeof shards.nodes)[number]];
  let newest = 2;
  const backend = backendOf(shards, node, {
    timeoutMs: 200,
    isCurrent: (user) => user?.authRevision === newest,
    renewed: (user) => ({ ...user, authRevision: newest }),
    mayEverything: () => true,
  });
  const numbers: (readonly number[])[] = [];
  node.submit = (_shard, { origin, user }) => {
    numbers.push([origin.request, user?.authRevision ?? 0]);
    const { length } = numbers;
    if (length === 1) {
      return Promise.reject(new FlotillaError('FLOTILLA_SHARD_UNREACHABLE', 'it does not answer'));
    }
    if (length < 4) {
      newest += length === 3 ? 1 : 0;
      return Promise.resolve({ kind: 'refused', reason: 'auth-revision' });
    }
    const response = PutResponse.create({});
    const answer = { origin, result: { kind: 'put', response }, revision: 2, effective: true } as const;
    return Promise.resolve({ kind: 'answer', answer });
  };
  const alice = { user: { name: 'alice', authRevision: 1 }, session: null };
  expect(await shards.run(backend.execute('put', put, alice))).toMatchObject({ kind: 'put' });
  const [[number] = []] = numbers;
  expect(numbers).toEqual([1, 1, 2, 3].map((authRevision) => [number, authRevision]));
});

test('a write is given up after its client has been told that its time is over, not before', async () => {
  const shards = new MemoryShards(2, 1, ['m'], 1);
  const [node] = shards.nodes as [(typeof shards.nodes)[number]];
  const backend = backendOf(shards, node, { timeoutMs: 7_000, mayEverything: () => true });
  node.submit = () => Promise.reject(new FlotillaError('FLOTILLA_NO_LEADER', 'nobody leads'));
  const ends: number[] = [];
  for (const session of [null, { id: 'client', request: 1, floor: 1, digest: new Uint8Array(0) }]) {
    const startMs = shards.platform.now();
    const origin = { user: null, session, timeoutMs: 50 } as Origin;
    await expect(shards.run(backend.execute('put', put, origin))).rejects.toThrow();
    ends.push(shards.platform.now() - startMs);
  }
  expect(ends[0]).toBeGreaterThan(100);
  expect(ends[0]).toBeLessThan(1_000);
  // What has a number is asked for again.
  expect(ends[1]).toBeGreaterThan(5_000);
});

test('a write that finds no leader yet waits for one, as long as there is time', async () => {
  const shards = new MemoryShards(3, 1, ['m'], 1);
  const [node] = shards.nodes as [(typeof shards.nodes)[number]];
  const backend = backendOf(shards, node, { timeoutMs: 200, mayEverything: () => true });
  const submit = node.submit.bind(node);
  let refusals = 3;
  node.submit = async (shard, entry) => {
    refusals -= 1;
    if (refusals >= 0) throw new FlotillaError('FLOTILLA_NO_LEADER', 'shard 1 is being opened');
    return await submit(shard, entry);
  };
  expect(await shards.run(backend.execute('put', put, noOrigin))).toMatchObject({ kind: 'put' });
  refusals = 1_000;
  await expect(shards.run(backend.execute('put', put, noOrigin))).rejects.toMatchObject({
    code: 'FLOTILLA_PROPOSAL_TIMEOUT',
  });
});

describe('a node without a replica', () => {
  const entry: RequestEntry = {
    kind: 'request',
    origin: { session: 1, request: 1, floor: 1 },
    user: null,
    range: 1,
    write: { kind: 'put', request: PutRequest.decode(put) },
    absent: [],
  };

  /** What nodes 2, 3, … answer; null: nothing. */
  async function asked(answers: readonly (SubmitAnswer | null)[]): Promise<string> {
    const platform = new VirtualPlatform(1);
    const submitter = new ShardSubmitter({
      platform,
      nodeId: 1 as NodeId,
      order: () => null,
      target: () => null,
      nodesOf: () => answers.map((_, i) => (i + 2) as NodeId),
      ask: (node) => {
        const answer = answers[node - 2] ?? null;
        if (answer !== null) return Promise.resolve(encodeSubmitAnswer(answer));
        return Promise.reject(new FlotillaError('FLOTILLA_PEER_CALL_FAILED', 'it does not answer'));
      },
      frontier: () => Promise.resolve(),
      register: () => Promise.resolve(),
      heard: () => undefined,
    });
    try {
      const reply = await submitter.submit(5, entry, { timeoutMs: 1_000 });
      return reply.kind === 'refused' ? reply.reason : reply.kind;
    } catch (error) {
      return isFlotillaError(error) ? error.code : String(error);
    }
  }

  const refused: SubmitAnswer = {
    kind: 'reply',
    reply: { kind: 'refused', reason: 'overloaded' },
    leader: 0,
  };
  const failed = (code: 'FLOTILLA_NO_LEADER' | 'FLOTILLA_STOPPED'): SubmitAnswer => ({
    kind: 'failed',
    code,
    message: 'it says so',
  });

  test('goes on where one cannot serve, and says so when none can', async () => {
    expect(await asked([{ kind: 'elsewhere' }, failed('FLOTILLA_NO_LEADER'), refused])).toBe('overloaded');
    expect(await asked([failed('FLOTILLA_NO_LEADER'), { kind: 'elsewhere' }])).toBe('FLOTILLA_NO_LEADER');
    expect(await asked([])).toBe('FLOTILLA_SHARD_UNREACHABLE');
  });

  test('takes no refusal for the whole truth after one has not answered, or has stopped', async () => {
    expect(await asked([null, refused])).toBe('FLOTILLA_SHARD_UNREACHABLE');
    expect(await asked([failed('FLOTILLA_STOPPED'), refused])).toBe('FLOTILLA_SHARD_UNREACHABLE');
    expect(await asked([null, failed('FLOTILLA_NO_LEADER')])).toBe('FLOTILLA_SHARD_UNREACHABLE');
  });
});
