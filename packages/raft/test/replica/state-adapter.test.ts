import { fromEventLoop, generatedTape, World } from '@flotilla/sim';
import { expect, it } from 'vitest';
import { configurationOf } from '../../src/core/configuration.ts';
import type { Index, Term } from '../../src/core/types.ts';
import { framedHead } from '../../src/replica/chunks.ts';
import { MemberTable } from '../../src/replica/member-table.ts';
import { SnapshotFiles } from '../../src/replica/snapshot-files.ts';
import { StateAdapter } from '../../src/replica/state-adapter.ts';
import { add, Sum } from './replica-cluster.ts';

it('a snapshot of a newer version is refused by its name, and leaves the state as it was', async () => {
  const meta = (index: number) => ({
    index: index as Index,
    term: 1 as Term,
    configuration: configurationOf([1, 2, 3]),
  });
  await fromEventLoop(() => {
    const world = new World({ tape: generatedTape(1) });
    let done = false;
    const node = world.addNode('n1', async (platform) => {
      const files = await SnapshotFiles.open({ platform, directory: 'snapshots', clusterId: 7n });
      const machine = new Sum();
      const adapter = await StateAdapter.open({
        platform,
        machine,
        files,
        initialConfiguration: configurationOf([1, 2, 3]),
        snapshotEvery: 100,
        chunkBytes: 1_000,
        handler: { membersChanged: () => undefined, snapshot: () => undefined, failed: () => undefined },
      });
      const head = new MemberTable().encode();
      const known = await adapter.install(meta(5));
      await known.write(framedHead(head));
      await known.write(add(70));
      await known.finish();
      const newer = await adapter.install(meta(9));
      const headOfNewer = head.slice();
      headOfNewer[0] = 2;
      await expect(newer.write(framedHead(headOfNewer))).rejects.toMatchObject({
        code: 'FLOTILLA_SNAPSHOT_VERSION',
      });
      await newer.abort();
      expect([machine.total, adapter.applied, adapter.readable]).toEqual([70, { index: 5, term: 1 }, true]);
      expect(await platform.disk.list('snapshots')).toEqual(['0000000000000005.snapshot']);
      await adapter.close();
      done = true;
    });
    node.start();
    world.run(60_000, () => done);
    const { violation } = world;
    world.end();
    if (violation !== null) throw new Error(`${violation.message}\n${violation.stack}`);
    expect(done).toBe(true);
  });
});
