import { isFlotillaError } from '@flotilla/platform';
import { generatedTape, replayedTape } from '@flotilla/sim';
import type { RecordedTape } from '@flotilla/sim';
import { CoreCluster } from './cluster.ts';
import { Nemesis } from './nemesis.ts';
import { drawSettings } from './settings.ts';
import type { CoreSettings } from './settings.ts';
import { Violation } from './violation.ts';

export interface CoreRunResult {
  readonly violation: null | { readonly invariant: string; readonly message: string };
  /** Delivered messages, ticks, completions of the disk, client steps. */
  readonly events: number;
  readonly traceHash: string;
  readonly simulatedMs: number;
  readonly coverage: Readonly<Record<string, number>>;
  readonly settings: CoreSettings;
  readonly faults: readonly { readonly timeMs: number; readonly text: string }[];
  readonly tape: Uint32Array;
}

export interface CoreRunOptions {
  /** Replaces what the tape says: to look at one circumstance, or to make a fixed benchmark. */
  readonly settings?: Partial<CoreSettings>;
}

/** One run, from a seed or from a tape of choices: faults, then peace, then everything must agree. */
export function runCoreSeed(
  seed: number | ArrayLike<number> | RecordedTape,
  options: CoreRunOptions = {},
): CoreRunResult {
  const tape = tapeOf(seed);
  const settings = { ...drawSettings(tape), ...options.settings };
  const cluster = new CoreCluster(tape, settings);
  const violation = attempt(() => {
    // The nemesis only needs to be there.
    new Nemesis(tape, cluster);
    cluster.startClients();
    while (cluster.events < settings.faultEvents && cluster.next());
    heal(cluster);
    converge(cluster);
    fallSilent(cluster);
  });
  return result(cluster, tape, violation);
}

function tapeOf(seed: number | ArrayLike<number> | RecordedTape): RecordedTape {
  if (typeof seed === 'number') return generatedTape(seed);
  return 'choose' in seed ? seed : replayedTape(seed);
}

/** The scenario of the core's mutations. */
export function run(seed: number): CoreRunResult {
  return runCoreSeed(seed);
}

function result(
  cluster: CoreCluster,
  tape: RecordedTape,
  violation: CoreRunResult['violation'],
): CoreRunResult {
  return {
    violation,
    events: cluster.events,
    traceHash: cluster.hash.toString(),
    simulatedMs: cluster.now,
    coverage: cluster.coverage.toJSON(),
    settings: cluster.settings,
    faults: cluster.faults,
    tape: tape.values(),
  };
}

/** An assertion of the core that fires is a violation too; anything else is a bug of the simulation. */
function attempt(run: () => void): CoreRunResult['violation'] {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof Violation) return { invariant: error.invariant, message: error.message };
    if (isFlotillaError(error, 'FLOTILLA_ASSERTION'))
      return { invariant: 'assertion', message: error.message };
    throw error;
  }
}

function heal(cluster: CoreCluster): void {
  cluster.faulty = false;
  cluster.say('heal everything');
  cluster.healNetwork();
  for (const member of cluster.members) {
    cluster.restart(member);
    member.pausedUntilMs = 0;
    member.slowDiskUntilMs = 0;
  }
}

/** In peace a leader is found, a write gets through, and everybody has everything and may read. */
function converge(cluster: CoreCluster): void {
  const { tickMs, electionTicks, members } = cluster.settings;
  const deadlineMs = cluster.now + 20_000 + 100 * electionTicks * tickMs;
  let asked = 0;
  let proposal = cluster.propose(cluster.members[0] as CoreCluster['members'][number], 1);
  const written = (): boolean => {
    if (proposal.committedAt !== 0) return true;
    if (cluster.now < asked + 2 * electionTicks * tickMs) return false;
    asked = cluster.now;
    const { leader } = cluster;
    if (leader !== undefined) proposal = cluster.propose(leader, 1);
    return false;
  };
  demand(cluster, cluster.runUntil(deadlineMs, written), 'no write is committed');
  const caughtUp = (): boolean =>
    cluster.members.every((member) => member.applied.index >= proposal.committedAt && !member.disk.unsynced);
  demand(cluster, cluster.runUntil(deadlineMs, caughtUp), 'not everybody has the last write');
  for (let id = 1; id <= members; id += 1) requireRead(cluster, id, deadlineMs);
  cluster.monitor.checkAll();
}

function requireRead(cluster: CoreCluster, id: number, deadlineMs: number): void {
  const member = cluster.members[id - 1] as CoreCluster['members'][number];
  const patienceMs = 2 * cluster.settings.electionTicks * cluster.settings.tickMs;
  let askedMs = cluster.now;
  let read = cluster.read(member);
  const answered = cluster.runUntil(deadlineMs, () => {
    if (!read.answered && cluster.now >= askedMs + patienceMs) {
      askedMs = cluster.now;
      read = cluster.read(member);
    }
    return read.answered;
  });
  demand(cluster, answered, `a read at ${id} is not answered`);
}

/** An idle group whose members hear each other needs no ticks and sends no messages. */
function fallSilent(cluster: CoreCluster): void {
  const { tickMs, electionTicks, liveness } = cluster.settings;
  if (liveness !== 'peers') return;
  const quiet = (): boolean =>
    cluster.members.every((member) => !member.core.wantsTicks && !member.core.ready);
  demand(
    cluster,
    cluster.runUntil(cluster.now + 100 * electionTicks * tickMs, quiet),
    'an idle group wants ticks',
  );
}

function demand(cluster: CoreCluster, fine: boolean, what: string): void {
  if (fine) return;
  const states = cluster.members.map(({ view }) => `${view.id}:${view.role}@${view.term}/${view.commit}`);
  throw new Violation('I14 liveness', `${what} (${states.join(' ')})`);
}
