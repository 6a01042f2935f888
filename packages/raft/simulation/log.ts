import { isFlotillaError, messageOf, type Platform } from '@flotilla/platform';
import {
  openLog,
  type LogLimits,
  type LogRecord,
  type NodeId,
  type OpenedLog,
  type WriteAheadLog,
} from '@flotilla/raft';
import {
  generatedTape,
  runScenario,
  World,
  type RunResult,
  type Scenario,
  type SimNode,
  type Tape,
  resultOf,
} from '@flotilla/sim';
import { checkRecovered, modelEntry, readEntries, readLog } from './log-check.ts';
import {
  copyState,
  groupOf,
  lastIndex,
  perform,
  signature,
  type ModelState,
  type Operation,
} from './log-model.ts';
import { drawOperation, type OperationSettings } from './log-operations.ts';
import { LogViolation } from './log-violation.ts';

const identity = { clusterId: 0xf107n, nodeId: 3 as NodeId };
const directory = 'data/log';
/** Faults stop here; what follows must find everything. */
const faultsMs = 700;
const operationsMax = 150;

/**
 * One log under a random load of everything that cores ask for, on a disk that crashes at any operation, fails syncs
 * and writes, and fills up. After every start the log must hold what was acknowledged and a prefix of the rest.
 */
export const logScenario: Scenario = { name: 'log', run: runLog };

function runLog(tape: Tape): RunResult {
  const run = new LogRun(tape);
  run.run();
  const { world } = run;
  world.end();
  return resultOf(world);
}

/** For the runner of mutations. */
export async function run(
  seed: number,
): Promise<{ readonly violation: null | { readonly invariant: string; readonly message: string } }> {
  const { violation } = await runScenario(logScenario, generatedTape(seed));
  return { violation: violation === null ? null : { invariant: violation.name, message: violation.message } };
}

/** Every knob is drawn per run: bugs hide behind settings that never vary together. */
function drawLimits(tape: Tape): Partial<LogLimits> {
  const segmentBytes = [4096, 8192, 16384][tape.choose(3, 'log: segment bytes')] ?? 4096;
  return {
    segmentBytes,
    totalBytes: segmentBytes * (4 + tape.choose(12, 'log: total bytes')),
    batchBytes: [65536, 512, 1][tape.choose(3, 'log: batch bytes')] ?? 65536,
    chunkBytes: [1024, 512, 65536][tape.choose(3, 'log: chunk bytes')] ?? 1024,
    readGapBytes: [1024, 0][tape.choose(2, 'log: read gap')] ?? 0,
    idleMarkMs: [20, 1][tape.choose(2, 'log: idle mark')] ?? 20,
  };
}

interface Rot {
  readonly path: string;
  readonly offset: number;
  readonly mask: number;
}

class LogRun {
  readonly world: World;
  readonly #tape: Tape;
  readonly #node: SimNode;
  readonly #limits: Partial<LogLimits>;
  readonly #settings: OperationSettings;
  readonly #pipelined: number;
  readonly #faultEveryMs: number;

  /** What the log held when it was last read as a whole. */
  #base: ModelState = new Map();
  /** Asked for since then, in order. */
  #operations: Operation[] = [];
  #acknowledged = 0;
  /** The base with every operation performed: what the next one builds on. */
  #state: ModelState = new Map();
  #serial = 0;
  #healed = false;
  /** The last life ended with a close: nothing may have changed, not even a commit index. */
  #closed = false;
  /** A flipped bit, while a start has not said what it thinks of it. */
  #rot: Rot | null = null;
  /** Of this life: batches that something was acknowledged with, and what had been acknowledged before the last one. */
  #batch = 0;
  #batches = 0;
  #acknowledgedEarlier = 0;

  constructor(tape: Tape) {
    this.#tape = tape;
    const syncMinMs = 0.1 + tape.choose(4, 'log: sync ms');
    this.world = new World({ tape, settings: { syncMinMs, syncMaxMs: syncMinMs * 3, accessMs: 0.02 } });
    this.#limits = drawLimits(tape);
    this.#settings = {
      groups: 1 + tape.choose(4, 'log: groups'),
      payloadBytes: [200, 20, 900][tape.choose(3, 'log: payload')] ?? 200,
      largeBytes: 6000,
      largePerMille: tape.choose(2, 'log: large payloads') * 20,
    };
    this.#pipelined = 1 + tape.choose(6, 'log: appends at once');
    this.#faultEveryMs = 5 + 20 * tape.choose(8, 'log: ms between faults');
    this.#node = this.world.addNode('n1', (platform) => this.#main(platform));
    this.#node.onStopped = () => this.#restart();
    this.world.onTrace(({ kind }) => this.world.coverage.count(kind));
  }

  run(): void {
    this.#node.start();
    this.world.after(this.#faultEveryMs, () => this.#injectFault());
    this.world.run(faultsMs);
    this.#heal();
    this.world.run(60_000, () => this.#healed && !this.#node.running);
    if (this.world.violation === null && !(this.#healed && !this.#node.running)) {
      this.world.violate('log liveness', 'the log does not work after all faults are over');
    }
  }

  // — faults ————————————————————————————————————————————————————————————————————————————————————————————————————————

  #injectFault(): void {
    if (this.world.now >= faultsMs) return;
    const { faults } = this.#node.disk;
    const draw = this.#tape.choose(10, 'log: which fault');
    if (draw >= 1 && draw <= 4)
      faults.crashAtOperation = 1 + this.#tape.choose(60, 'log: crash at operation');
    if (draw === 5) this.#crash();
    if (draw === 6) faults.failingSyncs = 1;
    if (draw === 7) faults.failingWrites = 1;
    if (draw === 8) this.#fillUp();
    this.world.after(this.#faultEveryMs, () => this.#injectFault());
  }

  #crash(): void {
    if (!this.#node.running) return;
    const lost = this.#node.crash();
    this.world.fault('crash', `crash n1: ${lost}`);
    this.#restart();
  }

  #fillUp(): void {
    const { faults } = this.#node.disk;
    faults.full = true;
    this.world.fault('disk full', 'the disk of n1 is full');
    this.world.after(1 + this.#tape.choose(100, 'log: full for ms'), () => {
      faults.full = false;
      this.world.faults.push({ timeMs: this.world.now, text: 'the disk of n1 has room again' });
    });
  }

  #restart(): void {
    this.world.after(1, () => {
      const faulty = this.world.now < faultsMs;
      const covered = this.#closed || this.#batches >= 2;
      if (faulty && covered && this.#rot === null && this.#tape.chance(1, 2, 'log: bit rot')) this.#flipBit();
      else if (faulty && this.#tape.chance(1, 3, 'log: crash during recovery')) {
        this.#node.disk.faults.crashAtOperation = 1 + this.#tape.choose(20, 'log: crash at operation');
      }
      this.#node.start();
    });
  }

  /**
   * In a log that was closed everything is known to be synced: a flipped bit is refused, or it means nothing. In one that
   * was cut off it may also pass for a torn write, but of the last batch only.
   */
  #flipBit(): void {
    const { inodes } = this.#node.disk;
    const paths = [...inodes.keys()].filter((path) => path.endsWith('.log')).sort();
    const path = paths[this.#tape.choose(paths.length, 'log: rot in segment')] ?? '';
    const size = inodes.get(path)?.bytes.size ?? 0;
    const offset = this.#tape.choose(size, 'log: rot at offset');
    this.#rot = { path, offset, mask: 1 << this.#tape.choose(8, 'log: rot bit') };
    this.#applyRot(this.#rot);
    this.world.fault('bit rot', `a bit of ${path} at offset ${offset} flips`);
  }

  #applyRot({ path, offset, mask }: Rot): void {
    const bytes = this.#node.disk.inodes.get(path)?.bytes;
    const [byte] = bytes?.read(offset, 1) ?? [];
    if (bytes !== undefined && byte !== undefined) bytes.write(offset, Uint8Array.of(byte ^ mask));
  }

  /** Ends every fault, and starts the log once more to see what has become of it. */
  #heal(): void {
    this.#node.disk.healed();
    this.#healed = true;
    this.#crash();
    this.#node.start();
  }

  // — one life of the log ——————————————————————————————————————————————————————————————————————————————————————————

  async #main(platform: Platform): Promise<void> {
    const opened = await this.#open(platform);
    if (opened === null) return;
    const { log, groups } = opened;
    const found = await readLog(log, groups);
    const held = checkRecovered(this.#base, this.#operations, this.#required, found);
    if (this.#closed) requireEqualCommits(this.#state, found);
    this.#closed = false;
    this.#rot = null;
    this.#batches = 0;
    this.#batch = 0;
    this.world.sometimes('log: an unacknowledged operation survived', held > this.#acknowledged);
    this.world.sometimes('log: an unacknowledged operation was lost', held < this.#operations.length);
    this.#base = found;
    this.#state = copyState(found);
    this.#operations = [];
    this.#acknowledged = 0;
    this.#acknowledgedEarlier = 0;
    if (this.#healed) {
      await this.#load(platform, log, 20);
      await log.close();
      this.#node.crash();
      return;
    }
    await this.#load(platform, log, 1 + this.#tape.choose(operationsMax, 'log: operations in a life'));
    await log.close();
    this.world.coverage.count('log: closed');
    this.#requireAllAcknowledged();
    this.#closed = true;
    this.#node.crash();
    this.#restart();
  }

  /** Null: the start refused a flipped bit, as it should; the bit is put back. */
  async #open(platform: Platform): Promise<OpenedLog | null> {
    const rot = this.#rot;
    try {
      return await openLog(platform, { directory, ...identity, limits: this.#limits });
    } catch (cause) {
      if (rot === null || !isFlotillaError(cause, 'FLOTILLA_LOG_DAMAGED')) throw cause;
      if (!/data\/log\/\d+\.log at offset \d+/.test(cause.message)) throw cause;
      this.#applyRot(rot);
      this.#rot = null;
      this.world.coverage.count('log: damage refused');
      this.#node.crash();
      this.#restart();
      return null;
    }
  }

  /** Several appends at a time, each of a few records, with pauses, reads and the checks that can be made meanwhile. */
  async #load(platform: Platform, log: WriteAheadLog, operations: number): Promise<void> {
    const waiting: Promise<void>[] = [];
    for (let i = 0; i < operations; i += 1) {
      waiting.push(this.#ask(log));
      if (waiting.length >= this.#pipelined) await waiting.shift();
      if (this.#tape.chance(1, 8, 'log: pause'))
        await pause(platform, this.#tape.choose(30, 'log: pause ms'));
      if (this.#tape.chance(1, 16, 'log: read back')) {
        await Promise.all(waiting.splice(0));
        await this.#readBack(log);
      }
    }
    await Promise.all(waiting);
  }

  #ask(log: WriteAheadLog): Promise<void> {
    const records: LogRecord[] = [];
    const first = this.#operations.length;
    for (let more = true; more; more = this.#tape.chance(1, 3, 'log: another record')) {
      this.#serial += 1;
      const operation = drawOperation(this.#tape, this.#settings, this.#state, this.#serial);
      if (operation.type === 'compact') {
        if (records.length > 0) break;
        this.#note(operation);
        return this.#settle(log, log.compact(operation.group, operation.through), first);
      }
      this.#note(operation);
      records.push(operation.record);
    }
    return this.#settle(log, log.append(records), first);
  }

  #note(operation: Operation): void {
    perform(this.#state, operation);
    this.#operations.push(operation);
  }

  async #settle(log: WriteAheadLog, outcome: Promise<void>, first: number): Promise<void> {
    const upTo = this.#operations.length;
    try {
      await outcome;
    } catch (cause) {
      await this.#requireFailed(log, cause);
      throw cause;
    }
    if (this.#acknowledged < first)
      throw new LogViolation('log order', 'an append was acknowledged before an earlier one');
    const { batches } = log.stats();
    if (batches !== this.#batch) {
      this.#batch = batches;
      this.#batches += 1;
      this.#acknowledgedEarlier = this.#acknowledged;
    }
    this.#acknowledged = Math.max(this.#acknowledged, upTo);
  }

  /** How many operations the log must hold. */
  get #required(): number {
    return this.#rot === null || this.#closed ? this.#acknowledged : this.#acknowledgedEarlier;
  }

  /** Once failed, for good. */
  async #requireFailed(log: WriteAheadLog, cause: unknown): Promise<void> {
    if (!isFlotillaError(cause, 'FLOTILLA_LOG_FAILED')) return;
    const again = await log.append([]).then(
      () => 'it succeeded',
      (error: unknown) => (isFlotillaError(error, 'FLOTILLA_LOG_FAILED') ? null : messageOf(error)),
    );
    if (again !== null) throw new LogViolation('log failure', `an append after the log has failed: ${again}`);
    this.world.coverage.count('log: failed for good');
  }

  #requireAllAcknowledged(): void {
    if (this.#acknowledged === this.#operations.length) return;
    const missing = this.#operations.length - this.#acknowledged;
    throw new LogViolation(
      'log close',
      `${missing} operations were neither acknowledged nor refused when the log closed`,
    );
  }

  /** With nothing outstanding, what is read is what was written. */
  async #readBack(log: WriteAheadLog): Promise<void> {
    const id = this.#tape.choose(this.#settings.groups, 'log: which group');
    const group = groupOf(this.#state, id);
    const read = await readEntries(log, id, group.snapshotIndex + 1, lastIndex(group));
    const entries = read.map(modelEntry);
    const state: ModelState = new Map([[id, { ...group, entries }]]);
    if (signature(state) !== signature(new Map([[id, group]]))) {
      throw new LogViolation(
        'log read',
        `group ${id} reads otherwise than it was written:\n${signature(state)}`,
      );
    }
    this.world.coverage.count('log: read back');
  }
}

function requireEqualCommits(wanted: ModelState, found: ModelState): void {
  for (const [id, { commit }] of wanted) {
    if (groupOf(found, id).commit === commit) continue;
    throw new LogViolation(
      'log close',
      `the close of the log lost the commit index ${commit} of group ${id}`,
    );
  }
}

function pause(platform: Platform, delayMs: number): Promise<void> {
  return new Promise((resolve) => platform.timer(delayMs, 'pause', resolve));
}
