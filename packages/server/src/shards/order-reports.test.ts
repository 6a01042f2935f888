import type { NodeId } from '@flotilla/raft';
import { expect, it } from 'vitest';
import { OrderReports, type OrderReportsParts } from './order-reports.ts';

it('whoever leads now is told, though who led before never answers', () => {
  const asked: number[] = [];
  let leader = { node: 2 as NodeId, term: 1 };
  const platform = {
    defer: (action: () => void) => action(),
    spawn: (_name: string, action: () => Promise<void>) => void action(),
  };
  const reports = new OrderReports({
    platform,
    nodeId: 1 as NodeId,
    order: () => null,
    leader: () => leader,
    ask: (node: NodeId) => {
      asked.push(node);
      return new Promise<never>(() => undefined);
    },
    take: () => true,
  } as unknown as OrderReportsParts);
  reports.report({ shard: 3, seq: 7, ordered: 0 });
  reports.tick();
  expect(asked, 'one message at a time').toEqual([2]);
  leader = { node: 4 as NodeId, term: 2 };
  reports.tick();
  expect(asked).toEqual([2, 4]);
});
