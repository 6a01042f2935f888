// How fast three replicas are, through the real host: frames encoded and checked, logs written and checksummed.
//
//   npm run bench:raft -- [--json] [--only memory,processes,idle] [--rounds 3] [--seconds 2] [--dir DIR]
//
// `memory`: in one process, on memory disks. `processes`: three processes, real files and syncs, beside what the same
// disk gives in the same minute. `idle`: ten thousand groups with nothing to do. Every figure is the median of the
// rounds. Where other programs use the machine, the processor time of an entry says more than entries a second.
import { cpus, loadavg, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { idleGroups } from './idle-groups.ts';
import type { IdleGroups } from './idle-groups.ts';
import { oneProcess } from './one-process.ts';
import type { OneProcess } from './one-process.ts';
import { number, table } from './report.ts';
import type { Row } from './report.ts';
import { threeProcesses } from './three-processes.ts';
import type { ThreeProcesses } from './three-processes.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: 'memory,processes,idle' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    'in-flight': { type: 'string', default: '256' },
    windows: { type: 'string', default: '64,256' },
    bytes: { type: 'string', default: '16' },
    groups: { type: 'string', default: '10000' },
    dir: { type: 'string', default: tmpdir() },
  },
});
const sections = values.only.split(',');
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const payloadBytes = Number(values.bytes);
const machine = {
  processor: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  node: process.version,
  loadAtStart: loadavg()[0] ?? NaN,
};
if (!values.json) {
  print(
    `${machine.processor}, ${machine.cores} cores, Node ${machine.node}, load ${number(machine.loadAtStart)} at the start\n`,
  );
}
const report: { memory?: OneProcess; processes?: ThreeProcesses; idle?: IdleGroups } = {};
// Idle groups first: what the others leave on the heap would be collected in their time.
if (sections.includes('idle')) {
  report.idle = await idleGroups({ groups: Number(values.groups), rounds, seconds });
  if (!values.json) print(idleTable(report.idle));
}
if (sections.includes('memory')) {
  report.memory = await oneProcess({ rounds, seconds, inFlight: Number(values['in-flight']), payloadBytes });
  if (!values.json) print(memoryTable(report.memory));
}
if (sections.includes('processes')) {
  const windows = values.windows.split(',').map(Number);
  report.processes = await threeProcesses({ rounds, seconds, windows, payloadBytes, directory: values.dir });
  if (!values.json) print(processesTable(report.processes));
}
if (values.json) print(JSON.stringify({ machine: { ...machine, loadAtEnd: loadavg()[0] }, ...report }));

function memoryTable(figures: OneProcess): string {
  const { atHalfTheRate: half } = figures;
  const rows: Row[] = [
    ['committed entries a second', number(figures.entriesPerSecond), 'aim: at least 200,000'],
    ['  processor time of an entry', number(figures.cpuMicrosPerEntry, 'µs'), 'all three members together'],
    ['  entries a processor-second', number(figures.entriesPerSecondOfCpu), ''],
    ['  latency p50', number(figures.p50Ms, 'ms'), ''],
    ['  latency p99', number(figures.p99Ms, 'ms'), ''],
    ['  entries in a log append', number(figures.entriesPerAppend), ''],
    ['  messages in a frame', number(figures.messagesPerFrame), ''],
    ['at half that rate', number(half.perSecond), 'entries a second, on a schedule'],
    ['  latency p50', number(half.p50Ms, 'ms'), 'from when it was due'],
    ['  latency p99', number(half.p99Ms, 'ms'), ''],
  ];
  return table(
    'One process, memory disks',
    [
      `3 replicas, ${figures.payloadBytes}-byte proposals at the leader, ${figures.inFlight} in flight`,
      `medians of ${figures.rounds} rounds of ${figures.secondsPerRound} s`,
    ],
    rows,
  );
}

function processesTable(figures: ThreeProcesses): string {
  const rows = figures.windows.flatMap((window): Row[] => [
    [`window ${window.inFlight}: entries a second`, number(window.entriesPerSecond), ''],
    [
      '  the disk, three writers at once',
      number(window.diskEntriesPerSecond),
      `${number(window.diskSyncsPerSecond)} syncs a second of groups of ${window.inFlight} entries, each writer`,
    ],
    ['  part of the disk', number(window.partOfDisk * 100, '%'), 'aim: at least 50 %'],
    ['  processor time of an entry', number(window.cpuMicrosPerEntry, 'µs'), 'all three processes together'],
    ['  entries in a sync', number(window.entriesPerSync), ''],
    ['  latency p50', number(window.p50Ms, 'ms'), ''],
    ['  latency p99', number(window.p99Ms, 'ms'), ''],
  ]);
  return table(
    'Three processes, real files and syncs, TCP on this machine',
    [
      `3 replicas, ${figures.payloadBytes}-byte proposals at the leader, as many in flight as the window says`,
      `medians of ${figures.rounds} rounds of ${figures.secondsPerRound} s, each followed by as long of the bare disk`,
    ],
    rows,
  );
}

function idleTable(figures: IdleGroups): string {
  const rows: Row[] = [
    ['memory of a group', number(figures.bytesPerGroup / 1000, 'kB'), 'all three replicas together'],
    ['  of one replica', number(figures.bytesPerReplica / 1000, 'kB'), 'aim: under 10 kB'],
    ['processor', number(figures.cpuPercent, '%'), 'of one core, all three members; aim: under 5 %'],
    ['  messages a second', number(figures.messagesPerSecond), 'all members together'],
    ['  bytes a second', number(figures.bytesPerSecond), ''],
    ['  ticks a second', number(figures.ticksPerSecond), 'of all groups'],
    ['seconds to open and elect', number(figures.secondsToOpen), ''],
  ];
  return table(
    `${number(figures.groups)} idle groups in one process`,
    [
      '3 members in it, every group with a replica at each, a leader, and one entry committed and applied',
      `medians of ${figures.rounds} rounds of ${figures.secondsPerRound} s; heap and buffers after a collection`,
    ],
    rows,
  );
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
