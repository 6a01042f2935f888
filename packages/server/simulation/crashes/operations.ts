import { put, type EtcdRequest } from '@flotilla/check';
import { HashKVRequest, Maintenance } from '@flotilla/wire';
import { BugLab, type BugLabOptions } from '../regressions/bug-lab.ts';
import { CrashPoint, type Step } from './crash-point.ts';
import { restoreAndServe } from './restored-member.ts';

/** What was there in the end, and the steps on the way. */
export interface CrashRun {
  readonly outcome: string;
  readonly steps: readonly Step[];
  readonly crashedAt: Step | null;
}

/** Runs an operation that crashes at one of its steps, 0: at none, or so long after it, and comes to its end all the same. */
export type Operation = (seed: number, at: number, lateMs?: number) => Promise<CrashRun>;

/** What a member does with its disk, by the names that the issue has for it. */
export const operations = {
  'first start': (seed, at, lateMs) =>
    run(seed, at, lateMs, { members: 1, snapshotCount: 5 }, firstStart, true),
  apply: (seed, at, lateMs) =>
    run(seed, at, lateMs, { members: 1, snapshotCount: 5, host: smallLog }, applied),
  compaction: (seed, at, lateMs) => run(seed, at, lateMs, { members: 1 }, compacted),
  snapshot: (seed, at, lateMs) => run(seed, at, lateMs, { snapshotCount: 5 }, received),
  restore: restoreAndServe,
} as const satisfies Readonly<Record<string, Operation>>;

/** New segments of the log are begun, and old ones removed, within a few writes. */
const smallLog = {
  logLimits: { segmentBytes: 16 * 1024, totalBytes: 8 * 16 * 1024, chunkBytes: 4_096 },
} as const;

async function run(
  seed: number,
  at: number,
  lateMs: number | undefined,
  options: Omit<BugLabOptions, 'seed'>,
  script: (lab: BugLab, point: CrashPoint) => number,
  fromTheBeginning = false,
): Promise<CrashRun> {
  const point = new CrashPoint(at, lateMs);
  let outcome = '';
  const wrapped = {
    ...options,
    seed,
    commitDelayMs: 3,
    flushDelayMs: 5,
    // An answer that does not wait for the disk is there before it.
    world: { syncMinMs: 3, syncMaxMs: 6, delayMaxMs: 1 },
    wrapPlatform: (platform) => point.platform(platform),
    wrapStorage: (storage, platform) => point.storage(storage, platform),
    begin: (lab) => {
      if (fromTheBeginning) point.arm(lab.nodes[0] as BugLab['nodes'][number]);
    },
  } satisfies BugLabOptions;
  await BugLab.run(wrapped, (lab) => {
    outcome = outcomeOf(lab, script(lab, point));
    point.disarm();
  });
  return { outcome, steps: point.steps, crashedAt: point.crashedAt };
}

/** Equal for equal content, whatever happened on the way. */
function outcomeOf(lab: BugLab, member: number): string {
  lab.until('it runs', 10_000, () => lab.running(member) !== null && lab.leader >= 0);
  lab.awaitCaughtUp(member);
  const { revision, compactRevision, liveBytes, keyCount } = lab.member(member).database;
  const { hash } = lab.call(Maintenance.methods.HashKV, HashKVRequest.create({}), { member });
  return JSON.stringify({ revision, compactRevision, liveBytes, keyCount, hash });
}

/** Asks until it is answered. However often it is executed, it takes effect once. */
function once(lab: BugLab, key: string, success: readonly ReturnType<typeof put>[]): void {
  const request: EtcdRequest = {
    type: 'txn',
    compare: [{ key, rangeEnd: '', result: 'equal', target: { type: 'version', value: 0 } }],
    success: [put(key, 'once'), ...success],
    failure: [],
  };
  for (let tries = 0; tries < 20; tries += 1) {
    lab.until('one leads', 20_000, () => lab.leader >= 0);
    if (lab.request(request) !== null) return;
  }
  throw new Error(`${key} was never put`);
}

function firstStart(lab: BugLab): number {
  once(lab, 'a', []);
  return 0;
}

/** Log, apply, commit, flush, and the log cut behind it. */
function applied(lab: BugLab, point: CrashPoint): number {
  point.arm(lab.nodes[0] as BugLab['nodes'][number]);
  for (let i = 0; i < 8; i += 1) {
    once(lab, `k/${i}`, [put('shared', String(i).padEnd(5_000, '.'))]);
    lab.pass(i % 2 === 0 ? 1 : 70);
  }
  lab.pass(300);
  return 0;
}

function compacted(lab: BugLab, point: CrashPoint): number {
  for (let round = 0; round < 5; round += 1) {
    once(
      lab,
      `round/${round}`,
      Array.from({ length: 100 }, (_, i) => put(`k/${i}`, String(round))),
    );
  }
  lab.pass(300);
  const { revision } = lab.member(0).database;
  point.arm(lab.nodes[0] as BugLab['nodes'][number]);
  for (let tries = 0; lab.running(0)?.database.compactRevision !== revision; tries += 1) {
    lab.expect(tries < 20, 'it was never compacted');
    lab.until('it leads', 10_000, () => lab.leader === 0);
    lab.request({ type: 'compact', revision });
  }
  lab.pass(300);
  return 0;
}

/** Chunks, the mark, the last flush, the log’s record, and the switch. */
function received(lab: BugLab, point: CrashPoint): number {
  const late = lab.follower;
  lab.isolate(late);
  for (let i = 0; i < 4; i += 1) once(lab, `k/${i}`, [put('shared', 'x'.repeat(100))]);
  for (let i = 0; i < 8; i += 1) {
    once(lab, `filler/${i}`, []);
    lab.pass(30);
  }
  point.arm(lab.nodes[late] as BugLab['nodes'][number]);
  lab.heal();
  lab.until('it is back', 30_000, () => (lab.running(late)?.database.revision ?? 0) > 8);
  lab.awaitCaughtUp(late);
  lab.pass(150);
  return late;
}
