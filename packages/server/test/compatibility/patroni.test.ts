import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pause, ProcessCluster } from '../process/process-cluster.ts';
import { requireProgram } from '../support/programs.ts';
import { topology } from '../support/sharded/topology.ts';
import { PatroniNode } from './patroni-node.ts';

const patroniIsThere = requireProgram('patroni', 'Patroni with Flotilla as its store');

/** Between two looks at Patroni's REST API, which tells nobody of its own accord. */
const POLL_MS = 100;

/** For a whole change of leader on a machine that is busy with other tests; or with shards, which take what there is. */
const CHANGE_MS = topology === null ? 90_000 : 250_000;

describe.skipIf(!patroniIsThere)('Patroni keeps its leader in Flotilla', () => {
  let cluster: ProcessCluster;
  let nodes: readonly [PatroniNode, PatroniNode];

  beforeAll(async () => {
    cluster = await ProcessCluster.start();
    const endpoints = cluster.members.map(({ endpoint }) => endpoint);
    nodes = [await PatroniNode.create('pg1', endpoints), await PatroniNode.create('pg2', endpoints)];
  });

  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.remove()));
    await cluster.remove();
  });

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + CHANGE_MS;
    while (!(await holds())) {
      if (performance.now() > end) {
        throw new Error(
          `never came: ${what}\n${nodes.map((node) => node.log()).join('\n')}\n${cluster.logs()}`,
        );
      }
      await pause(POLL_MS);
    }
  }

  const roles = async (node: PatroniNode): Promise<Record<string, string>> =>
    Object.fromEntries((await node.members()).map(({ name, role }) => [name, role]));

  /** Patroni says that a node leads before its PostgreSQL has ended the recovery that a promotion begins with. */
  const takesWrites = async (node: PatroniNode): Promise<boolean> =>
    (await node.isPrimary()) && (await node.query('select pg_is_in_recovery()')) === 'f';

  /** `leader` leads and takes writes, and `standby` has confirmed each before it is answered. */
  const isServing = async (leader: PatroniNode, standby: PatroniNode): Promise<boolean> => {
    const seen = await roles(leader);
    return (
      (await takesWrites(leader)) && seen[leader.name] === 'leader' && seen[standby.name] === 'sync_standby'
    );
  };

  const serves = (leader: PatroniNode, standby: PatroniNode): Promise<void> =>
    until(`${leader.name} leads, ${standby.name} stands by`, () => isServing(leader, standby));

  /** A leader that could not renew its lead in time steps down, and takes it again: until it has taken the row once. */
  const insert = (leader: PatroniNode, id: number, v: string): Promise<void> =>
    until(`${leader.name} has taken row ${id}`, async () => {
      try {
        await leader.query(`insert into t values (${id}, '${v}') on conflict do nothing`);
        return true;
      } catch {
        return false;
      }
    });

  test('of two nodes that start at once, one initializes the database and leads', async () => {
    for (const node of nodes) node.start();
    await until('a leader and a synchronous standby', async () => {
      if (await isServing(nodes[1], nodes[0])) nodes = [nodes[1], nodes[0]];
      return (await isServing(...nodes)) && !(await nodes[1].isPrimary());
    });
    await until('a table', async () => {
      try {
        await nodes[0].query('create table if not exists t (id int primary key, v text)');
        return true;
      } catch {
        return false;
      }
    });
    await insert(nodes[0], 1, 'before');
    expect(await nodes[1].query('select pg_is_in_recovery()')).toBe('t');
  });

  test('the standby is promoted when the leader is killed, with the member that leads Flotilla', async () => {
    const [leader, standby] = nodes;
    const member = await cluster.leader(CHANGE_MS);
    await Promise.all([leader.kill(), cluster.kill(member)]);
    await until(`${standby.name} is promoted`, () => takesWrites(standby));
    await insert(standby, 2, 'after');
    expect(await standby.query('select id, v from t order by id')).toBe('1|before\n2|after');
    await cluster.restart(member);
  });

  test('the old leader comes back as a standby', async () => {
    const [old, leader] = nodes;
    old.start();
    await serves(leader, old);
    await insert(leader, 3, 'both');
    expect(await old.query('select count(*), pg_is_in_recovery() from t')).toBe('3|t');
  });

  test('a planned change of leader gives the lead back', async () => {
    const [candidate, leader] = nodes;
    // Refused while there is no leader for a moment; and told too late, it has happened.
    await until(`${leader.name} gives the lead away`, async () => {
      const status = await leader.switchOver(leader.name, candidate.name);
      return status === 200 || (await roles(candidate))[candidate.name] === 'leader';
    });
    await serves(candidate, leader);
    await insert(candidate, 4, 'back');
    expect(await leader.query('select count(*), pg_is_in_recovery() from t')).toBe('4|t');
  });
});
