import type { GenericCell } from '../../simulation/scenarios/generic-cells.ts';
import { genericCells } from '../../simulation/scenarios/generic-cells.ts';
import type { KvClient } from '../../simulation/scenarios/kv-client.ts';
import type { KvProcessLab } from './kv-process-lab.ts';
import type { KvProcessScenario, Scale } from './kv-process-scenario.ts';

/** The courses wait so long between a kill of all and their restart. */
const downMs = 1_000;
/** Eight times what the courses snapshot at. */
const logBytes = 8_000;

/** Scenario 39 of the catalogue, the generic test: each of its cells. */
export const genericProcessScenarios: readonly KvProcessScenario[] = genericCells.map((cell, index) => {
  const snapshots = cell.snapshots === true;
  return {
    number: `39 (${cell.name})`,
    title: `${cell.clients} clients of ${cell.members} members: linearizable, versions included; ${
      snapshots ? `at most ${logBytes} bytes of log` : 'the log is never compacted'
    }`,
    cluster: { members: cell.members, snapshots },
    play: (lab, scale) => play(lab, scale, cell, `n39.${index}`),
  };
});

async function play(lab: KvProcessLab, scale: Scale, cell: GenericCell, prefix: string): Promise<void> {
  if (cell.unreliable === true) lab.useNetwork('unreliable');
  const began = lab.history.calls.length;
  for (let round = 0; round < scale.genericRounds; round += 1) {
    await playRound(lab, scale, cell, `${prefix}.${round}`);
  }
  lab.useNetwork('reliable');
  if (cell.snapshots === true) await lab.measureLogs('log', logBytes);
  else await expectNeverCompacted(lab);
  lab.expect(lab.history.calls.length > began, 'clients were served');
}

async function playRound(lab: KvProcessLab, scale: Scale, cell: GenericCell, prefix: string): Promise<void> {
  const untilMs = lab.now + scale.genericMs;
  // Longer than in the courses: until the members are whole again, and so with requests under way at each fault.
  let healedMs: number | null = null;
  const working = lab.clients(cell.clients, (client, index) =>
    work(lab, client, cell, `${prefix}.${index}`, prefix, () => healedMs !== null),
  );
  // What fails in them is looked at below.
  working.catch(() => undefined);
  while (lab.now < untilMs) {
    if (cell.partitions === true) {
      lab.partition(lab.cluster.members.filter(() => lab.tape.choose(2, 'part of a member') === 1));
      await lab.sleep(1_000 + lab.tape.choose(200, 'duration of a partition'));
    } else {
      await lab.sleep(untilMs - lab.now);
    }
  }
  if (cell.partitions === true) {
    lab.connectAll();
    await lab.sleep(1_000);
  }
  if (cell.crashes === true) {
    // What a process has counted is gone with it.
    if (cell.snapshots !== true) await expectNeverCompacted(lab);
    await lab.killAll();
    await lab.sleep(downMs);
    await lab.restartAll();
  }
  healedMs = lab.now;
  await working;
  lab.measure('clients end', lab.now - healedMs, 10_000, 'ms');
}

async function expectNeverCompacted(lab: KvProcessLab): Promise<void> {
  for (const member of lab.cluster.members) {
    for (const name of ['flotilla_raft_compactions_total', 'flotilla_raft_snapshots_sent_total']) {
      const count = await lab.metric(member, name);
      lab.expect(count === 0, `${name} of n${member.index + 1} is ${count}`);
    }
  }
}

async function work(
  lab: KvProcessLab,
  client: KvClient,
  cell: GenericCell,
  own: string,
  shared: string,
  isOver: () => boolean,
): Promise<void> {
  let made = 0;
  let appended = '';
  while (!isOver()) {
    made += 1;
    const key = cell.shared === true ? `${shared} ${lab.tape.choose(5, 'key')}` : own;
    const value = `${client.name}.${made}`;
    const drawn = lab.tape.choose(100, 'operation');
    if (drawn < 35) await client.get(key);
    else if (drawn < 70) {
      const found = await client.get(key);
      await client.versionedPut(key, value, found?.version ?? 0);
    } else if (drawn < 80 || cell.shared === true) await client.put(key, value);
    else {
      await client.append(`${own} log`, `${made};`);
      appended += `${made};`;
    }
  }
  const log = (await client.get(`${own} log`))?.value ?? '';
  lab.expect(log === appended, `${own}: appended ${appended}, found ${log}`);
}
