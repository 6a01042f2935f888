import { describeVerdict } from '@flotilla/check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failureCodes } from '../../src/maelstrom/failure.ts';
import type { MessageBody } from '../../src/maelstrom/message.ts';
import { runMaelstrom, workloads } from './maelstrom-run.ts';
import { isolated } from './partitions.ts';
import { type Flaw, pretendCluster } from './pretend-cluster.ts';
import { Router } from './router.ts';
import { ProcessNode } from './test-node.ts';

const ids = ['n1', 'n2', 'n3'];
const names = Object.keys(workloads);

describe.concurrent('scenario 70: behind Maelstrom’s protocol, three members', () => {
  // A minute of it, with Maelstrom's flags, is `npm run soak:maelstrom`.
  it.each(names)('under partitions of each of them answer %s as one', async (workload) => {
    const report = await runMaelstrom({
      workload,
      nodes: ids.map((id) => new ProcessNode(id)),
      rate: 100,
      clientsPerNode: 4,
      seed: 1,
      // Whoever leads is cut off in one of them, and the others go on.
      phases: [
        { partition: null, answered: 50 },
        ...ids.map((id) => ({ partition: isolated(ids, id), answered: 60 })),
        { partition: null, answered: 50 },
      ],
    });
    expect(report.verdict, describeVerdict(report.verdict)).toEqual({ outcome: 'ok' });
    expect(report.offences).toEqual([]);
    expect(report.dropped).toBeGreaterThan(0);
    // Those who asked the one that was alone were told so, or nothing.
    const undone = [...report.counts.values()].reduce(
      (sum, { failed, unknown }) => sum + failed + unknown,
      0,
    );
    expect(undone).toBeGreaterThan(0);
  });
});

describe('the harness', () => {
  const flaws: readonly Flaw[] = ['stale read', 'lost write', 'false denial'];
  const plan = (workload: string, flaw: Flaw): Promise<string> =>
    runMaelstrom({
      workload,
      nodes: pretendCluster(ids, flaw),
      rate: 1_000,
      clientsPerNode: 4,
      seed: 1,
      phases: [{ partition: null, answered: 300 }],
    }).then(({ verdict }) => verdict.outcome);

  it.each(names)('finds nothing wrong with nodes that share one memory, under %s', async (workload) => {
    expect(await plan(workload, 'none')).toBe('ok');
  });

  it.each(names.flatMap((workload) => flaws.map((flaw) => [workload, flaw] as const)))(
    'sees under %s a %s',
    async (workload, flaw) => {
      expect(await plan(workload, flaw)).toBe('illegal');
    },
  );

  it('sees a transaction that was done twice', async () => {
    expect(await plan('txn-list-append', 'done twice')).toBe('illegal');
  });
});

describe('a node that is sent', () => {
  let node: ProcessNode;
  let router: Router;
  const ask = (body: Omit<MessageBody, 'msg_id'>): Promise<MessageBody | null> =>
    router.ask('c1', 'n1', body, 60_000);
  let early: MessageBody | null = null;

  beforeAll(async () => {
    node = new ProcessNode('n1');
    router = new Router([node]);
    early = await ask({ type: 'read', key: 1 });
    await router.init(60_000);
    // A leader of one is there soon, but not at once.
    while ((await ask({ type: 'write', key: 'ready', value: 1 }))?.type !== 'write_ok');
  });

  afterAll(() => router.stop());

  it('a request before init says that it cannot serve yet', () => {
    expect(early).toMatchObject({ type: 'error', code: failureCodes.temporarilyUnavailable });
  });

  it('a line that is no message goes on, and says so to people', async () => {
    for (const line of [
      'no JSON',
      '[]',
      '{}',
      '{"src":"c1","dest":"n1"}',
      '{"src":"c1","dest":"n1","body":{"type":7}}',
    ]) {
      node.send(line);
    }
    node.send(`{"src":"c1","dest":"n1","body":{"type":"read","key":"${'x'.repeat(9 * 1024 * 1024)}"}}`);
    expect(await ask({ type: 'read', key: 'ready' })).toMatchObject({ type: 'read_ok', value: 1 });
    await expect.poll(() => node.log.filter((line) => line.includes('a line was dropped')).length).toBe(6);
    expect(router.offences).toEqual([]);
  });

  it('a type that it does not know says that it is not supported', async () => {
    expect(await ask({ type: 'broadcast', message: 1 })).toMatchObject({ code: failureCodes.notSupported });
    const txn = [['incr', 1, 1]];
    expect(await ask({ type: 'txn', txn })).toMatchObject({ code: failureCodes.notSupported });
  });

  it.each([
    { type: 'read' },
    { type: 'write', key: 1 },
    { type: 'cas', key: 1, from: 2 },
    { type: 'write', key: 1, value: 2 ** 60 },
    { type: 'write', key: 1, value: JSON.parse('['.repeat(100) + ']'.repeat(100)) as unknown },
    { type: 'txn', txn: 'r' },
    { type: 'txn', txn: [['r', 1]] },
    {
      type: 'txn',
      txn: [
        ['append', 1, 1],
        ['w', 1, 1],
      ],
    },
    { type: 'txn', txn: Array.from({ length: 200 }, (_, key) => ['append', key, 1]) },
    { type: 'write', key: 1, value: 'x'.repeat(2 * 1024 * 1024) },
  ])('a malformed request says so: %#', async (body) => {
    expect(await ask(body)).toMatchObject({ type: 'error', code: failureCodes.malformedRequest });
  });

  it('a second init, or one of a stranger, stays who it is', async () => {
    expect(await ask({ type: 'init', node_id: 'n1', node_ids: ['n1'] })).toMatchObject({
      code: failureCodes.abort,
    });
    expect(await ask({ type: 'init', node_id: 'n9', node_ids: ['n1'] })).toMatchObject({
      code: failureCodes.nodeNotFound,
    });
    expect(await ask({ type: 'init', node_id: 'n1' })).toMatchObject({ code: failureCodes.malformedRequest });
    expect(await ask({ type: 'read', key: 'ready' })).toMatchObject({ type: 'read_ok' });
  });

  it('a message of a node that is none of its cluster, or a reply, drops it', async () => {
    node.send('{"src":"n9","dest":"n1","body":{"type":"stream_open","stream":"x","port":2380}}');
    node.send('{"src":"c1","dest":"n1","body":{"type":"error","in_reply_to":5,"code":13}}');
    expect(await ask({ type: 'read', key: 'ready' })).toMatchObject({ type: 'read_ok' });
  });

  it('a compare-and-set tells a missing key from another value', async () => {
    const value = { b: [1, null], a: 'x' };
    expect(await ask({ type: 'cas', key: 'c', from: 1, to: 2 })).toMatchObject({
      code: failureCodes.keyDoesNotExist,
    });
    expect(await ask({ type: 'write', key: 'c', value })).toMatchObject({ type: 'write_ok' });
    expect(await ask({ type: 'cas', key: 'c', from: 1, to: 2 })).toMatchObject({
      code: failureCodes.preconditionFailed,
    });
    // Fields have no order.
    const from = { a: 'x', b: [1, null] };
    expect(await ask({ type: 'cas', key: 'c', from, to: 2 })).toMatchObject({ type: 'cas_ok' });
    expect(await ask({ type: 'read', key: 'c' })).toMatchObject({ value: 2 });
  });

  it('transactions answers with what they have written themselves, in its order', async () => {
    const lists = [
      ['r', 1, null],
      ['append', 1, 8],
      ['append', 1, 7],
      ['r', 1, null],
      ['append', 12, 9],
    ];
    expect(await ask({ type: 'txn', txn: lists })).toMatchObject({
      type: 'txn_ok',
      txn: [
        ['r', 1, null],
        ['append', 1, 8],
        ['append', 1, 7],
        ['r', 1, [8, 7]],
        ['append', 12, 9],
      ],
    });
    const registers = [
      ['r', 'x', null],
      ['w', 'x', 1],
      ['r', 'x', null],
      ['w', 'x', 2],
      ['r', 'x', null],
    ];
    expect(await ask({ type: 'txn', txn: registers })).toMatchObject({
      txn: [
        ['r', 'x', null],
        ['w', 'x', 1],
        ['r', 'x', 1],
        ['w', 'x', 2],
        ['r', 'x', 2],
      ],
    });
    const reads = [
      ['r', 1, null],
      ['r', 12, null],
      ['r', 'x', null],
      ['r', 2, null],
    ];
    expect(await ask({ type: 'txn', txn: reads })).toMatchObject({
      txn: [
        ['r', 1, [8, 7]],
        ['r', 12, [9]],
        ['r', 'x', 2],
        ['r', 2, null],
      ],
    });
    expect(await ask({ type: 'txn', txn: [] })).toMatchObject({ type: 'txn_ok', txn: [] });
  });
});
