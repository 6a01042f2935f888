import type { Platform } from '@flotilla/platform';
import { expect, test } from 'vitest';
import { ClusterAdministration } from '../../src/shards/control/cluster-administration.ts';
import { controlSettings } from '../../src/shards/control/control-settings.ts';
import type { ControlNode } from '../../src/shards/control/local-shards.ts';
import { ShardReports } from '../../src/shards/control/shard-reports.ts';
import { ShardLab } from './shard-lab.ts';

// Scenario 64 (0 clients, unreliable), seed 1: steps and reports of one that was cut off held up all others.
test('one node that does not answer, and one step that nothing comes of, hold nothing else up', () =>
  ShardLab.run({ members: 5 }, (lab) => {
    lab.begin();
    const first = lab.split('h');
    lab.led(first);
    const second = lab.split('p');
    lab.led(second);
    const gone = lab
      .order()
      .map.row(first)
      ?.nodes.find((node) => node !== lab.leader + 1) as number;
    const { shards } = lab.member(lab.leader);
    const propose = shards.propose.bind(shards);
    let lost = 0;
    shards.propose = (entry, patience) => {
      if (entry.kind !== 'assign' || entry.shard !== first || lost > 0) return propose(entry, patience);
      lost += 1;
      return new Promise(() => undefined);
    };
    const platform = platformIn(lab);
    const drain = lab.start(lab.leader, () => drainTwice(lab, platform, gone));
    const nodesOf = (shard: number): readonly number[] => lab.order().map.row(shard)?.nodes ?? [];
    const isOn = (shard: number): boolean => nodesOf(shard).includes(gone);
    lab.until('the other shard to go', () => !isOn(second), 9_000);
    expect(lost).toBe(1);
    expect(isOn(first)).toBe(true);
    lab.until('the shard whose step was lost to go', () => !isOn(first), 15_000);

    lab.until('both operators to be told', () => drain.result !== undefined || drain.error !== undefined);
    expect(drain).toMatchObject({ error: undefined, result: true });

    const reports = new ShardReports(platform, shards);
    const ask = (): number => {
      const beginMs = lab.world.now;
      lab.act(lab.leader, async () => (await reports.ask(), true));
      return lab.world.now - beginMs;
    };
    const isSilent = (node: number): boolean => !reports.node(node).live;
    const { links } = lab.world.network;
    const silent = lab.nodes.find((_, i) => i !== lab.leader && i + 1 !== gone);
    const its = lab.nodes.indexOf(silent ?? (null as never)) + 1;
    for (const other of lab.nodes) {
      if (silent === undefined || other === silent) continue;
      links.cut(silent, other);
      links.cut(other, silent);
    }
    expect(ask()).toBeGreaterThan(900);
    for (let turn = 0; turn < 3; turn += 1) expect(ask()).toBeLessThan(150);
    expect(isSilent(its)).toBe(true);
    expect(isSilent(lab.leader + 1)).toBe(false);
    links.heal();
    lab.pass(1_500);
    ask();
    expect(ask()).toBeLessThan(150);
    expect(isSilent(its)).toBe(false);
  }));

function platformIn(lab: ShardLab): Platform {
  let platform: Platform | null = null;
  lab.world.addNode('operator', (its) => void (platform = its)).start();
  lab.until('an operator', () => platform !== null);
  return platform as unknown as Platform;
}

// Scenario 64 (5 clients, unreliable), seed 1: who asked a second time was told that the node has left.
/** One operator has a node leave; it is gone before another, who drains it, can say that it shall leave. */
async function drainTwice(lab: ShardLab, platform: Platform, node: number): Promise<boolean> {
  const { shards } = lab.member(lab.leader);
  const administration = (its: ControlNode): ClusterAdministration =>
    new ClusterAdministration({
      platform,
      node: its,
      members: () => [],
      isUnderstood: () => true,
      settings: controlSettings(60_000),
    });
  const onlooker = { report: () => undefined, cancelled: null, onCancelled: () => undefined };
  const leave = (its: ControlNode): Promise<void> =>
    administration(its).drain({ node, configuration: 0 }, true, onlooker);
  const slowly = async (...asked: Parameters<ControlNode['propose']>): Promise<void> => {
    await shards.propose(...asked);
    if (asked[0].kind === 'node') await leave(shards);
  };
  const slow = new Proxy<ControlNode>(shards, {
    get: (_, name) => {
      const value: unknown = Reflect.get(shards, name, shards);
      if (name === 'propose') return slowly;
      return typeof value === 'function' ? (value.bind(shards) as unknown) : value;
    },
  });
  await leave(slow);
  return true;
}
