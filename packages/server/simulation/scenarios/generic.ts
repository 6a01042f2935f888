import { type GenericCell, genericCells } from './generic-cells.ts';
import type { KvClient } from './kv-client.ts';
import { type KvLab, kvLimits } from './kv-lab.ts';
import type { KvScenario } from './lab-result.ts';

const rounds = 3;
const roundMs = 1_000;
/** The courses wait so long before and after a restart of all. */
const downMs = 1_000;
/** Clients ask at once again, but a simulated second of that has too many events. */
const thinkMaxMs = 120;

/** Scenario 39 of the catalogue: the generic test. */
export const generics: readonly KvScenario[] = genericCells.map((cell) => ({
  number: `39 (${cell.name})`,
  title:
    cell.snapshots === true
      ? `linearizable, versions included, and at most ${kvLimits.logBytes.toLocaleString('en')} bytes of log`
      : 'linearizable, versions included, and the log is never compacted',
  options: {
    members: cell.members,
    unreliable: cell.unreliable === true,
    snapshotEvery: cell.snapshots === true ? 5 : null,
  },
  play: (lab) => play(lab, cell),
}));

function play(lab: KvLab, cell: GenericCell): void {
  lab.boot();
  for (let round = 0; round < rounds; round += 1) playRound(lab, cell, round);
  lab.finish();
  for (const member of lab.members) {
    if (cell.snapshots !== true) {
      lab.expect(!lab.hasTrimmed(member, 0), `${member.node.name} has compacted its log`);
      continue;
    }
    lab.until(1_000, () => lab.logState(member).bytes <= kvLimits.logBytes);
    lab.measure('log', lab.logState(member).bytes, kvLimits.logBytes, 'B');
  }
}

function playRound(lab: KvLab, cell: GenericCell, round: number): void {
  const untilMs = lab.now + roundMs;
  const running = Array.from({ length: cell.clients }, (_, i) =>
    lab.client((client) => work(lab, client, cell, `${round}.${i}`, untilMs)),
  );
  while (lab.now < untilMs) {
    if (cell.partitions === true) {
      lab.partition(lab.members.filter(() => lab.draw(2, 'part of a member') === 1));
      lab.sleep(1_000 + lab.draw(200, 'duration of a partition'));
    } else {
      lab.sleep(roundMs);
    }
  }
  if (cell.partitions === true) {
    lab.connectAll();
    lab.sleep(1_000);
  }
  if (cell.crashes === true) {
    lab.crashAll();
    lab.sleep(downMs);
    lab.restartAll();
  }
  lab.within('clients end', kvLimits.agreeMs, () => running.every((client) => client.finished));
}

async function work(
  lab: KvLab,
  client: KvClient,
  cell: GenericCell,
  name: string,
  untilMs: number,
): Promise<void> {
  let made = 0;
  let appended = '';
  const own = `own ${name}`;
  while (lab.now < untilMs) {
    made += 1;
    const key = cell.shared === true ? `shared ${lab.draw(5, 'key')}` : own;
    const value = `${name}.${made}`;
    const drawn = lab.draw(100, 'operation');
    if (drawn < 35) await client.get(key);
    else if (drawn < 70) await changeVersioned(client, key, value);
    else if (drawn < 80 || cell.shared === true) await client.put(key, value);
    else {
      await client.append(`${own} log`, `${value};`);
      appended += `${value};`;
    }
    await client.sleep(1 + lab.draw(thinkMaxMs, 'think time'));
  }
  const log = await client.get(`${own} log`);
  lab.expect((log?.value ?? '') === appended, `${own}: appended ${appended}, found ${log?.value ?? ''}`);
}

/** Reads the version and writes on it: others may have been faster. */
async function changeVersioned(client: KvClient, key: string, value: string): Promise<void> {
  const found = await client.get(key);
  await client.versionedPut(key, value, found?.version ?? 0);
}
