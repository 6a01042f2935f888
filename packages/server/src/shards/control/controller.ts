import { isFlotillaError, messageOf, type Platform, type Timer } from '@flotilla/platform';
import { limits } from '../../limits.ts';
import type { PlacementSettings } from '../../placement/settings.ts';
import { type ClusterState, isSettled } from './cluster-state.ts';
import { keyText } from './key-text.ts';
import type { ControlNode } from './local-shards.ts';
import { type NextSteps, nextSteps, type Step } from './next-steps.ts';
import { observedState } from './observed-state.ts';
import { ShardReports } from './shard-reports.ts';
import { StepMemory } from './step-memory.ts';
import { runStep } from './step-runner.ts';

export interface ControllerParts {
  readonly platform: Platform;
  readonly node: ControlNode;
  /** Whether this node leads the order group, as far as it knows. */
  readonly leads: () => boolean;
  readonly settings: PlacementSettings;
}

/** What the controller has done since it began: for metrics. */
export interface ControlCounts {
  readonly steps: Readonly<Record<Step['kind'], number>>;
  readonly refused: number;
  readonly balancedBytes: number;
}

/**
 * Brings a sharded cluster to where it should be, from the node that leads the order group. It keeps nothing that
 * matters: whoever leads next sees in the order and in the shards how far everything is, and goes on. Two at a time do no
 * harm, since every step names what it was decided on.
 */
export class ShardControl {
  readonly #parts: ControllerParts;
  readonly #settings: PlacementSettings;
  readonly #steps: Record<Step['kind'], number> = {
    assign: 0,
    leave: 0,
    'forget-merge': 0,
    split: 0,
    merge: 0,
    'transfer-leader': 0,
  };
  readonly #unsubscribe: readonly (() => void)[];
  #refused = 0;
  #balancedBytes = 0;
  #term: ControlTerm | null = null;
  #timer: Timer | null = null;
  #looking = false;
  #lookAgain = false;
  #stopped = false;
  #turn = 0;

  constructor(parts: ControllerParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
    const { node } = parts;
    this.#unsubscribe = [
      node.onOrder(({ effects }) => {
        if (effects.some(({ kind }) => kind === 'configured' || kind === 'begun')) this.wake();
      }),
      // A snapshot may have brought an order.
      node.onReplicas(() => {
        if (this.#timer === null) this.wake();
      }),
    ];
    this.wake();
  }

  get counts(): ControlCounts {
    return { steps: this.#steps, refused: this.#refused, balancedBytes: this.#balancedBytes };
  }

  /** Something may be to be done: looks now, and not when it would have. */
  wake(): void {
    if (this.#parts.node.order === null) return;
    if (this.#looking) this.#lookAgain = true;
    else this.#lookAfter(0);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  #lookAfter(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#timer = this.#parts.platform.timer(delayMs, 'shard-control', () => {
      this.#timer = null;
      this.#looking = true;
      this.#parts.platform.spawn('shard-control', async () => {
        const pauseMs = await this.#look();
        this.#looking = false;
        this.#lookAfter(this.#lookAgain ? Math.min(pauseMs, limits.controlBusyMs) : pauseMs);
        this.#lookAgain = false;
      });
    });
  }

  /** Answers when to look again. */
  async #look(): Promise<number> {
    const { platform, node, leads } = this.#parts;
    if (node.order === null || !leads()) {
      this.#term = null;
      return limits.controlIdleMs;
    }
    const isNew = this.#term === null;
    this.#term ??= new ControlTerm(platform, node);
    const term = this.#term;
    try {
      // What whoever led before has decided is to be seen first, or both would fill the same nodes.
      if (isNew) await node.frontier({ timeoutMs: limits.controlStepCallMs });
      await term.reports.ask();
      const { order } = node;
      if (order === null || !leads()) return limits.controlIdleMs;
      const begunMs = platform.now();
      const state = observedState(order.configuration, term.reports);
      const { steps } = this.#decide(state, term);
      const tookMs = platform.now() - begunMs;
      // One that is asked of somebody who is cut off takes seconds: nothing else waits for it.
      for (const step of steps) this.#begin(step, state, term);
      return pauseAfter(tookMs, steps.length > 0 || isUnderWay(state));
    } catch (error) {
      if (isFlotillaError(error, 'FLOTILLA_STOPPED')) this.stop();
      if (isNew) this.#term = null;
      platform.log.warn('the control of shards could not look at the cluster', { reason: messageOf(error) });
      return limits.controlIdleMs;
    }
  }

  #decide(state: ClusterState, term: ControlTerm): Pick<NextSteps, 'steps'> {
    this.#turn += 1;
    const { steps, balancedBytes } = nextSteps(state, {
      settings: this.#settings,
      seed: this.#turn,
      budgetBytes: term.budget(state.nowMs),
      underWay: term.memory.underWay(state),
    });
    term.spend(balancedBytes);
    this.#balancedBytes += balancedBytes;
    return { steps: steps.slice(0, limits.controlSteps) };
  }

  #begin(step: Step, state: ClusterState, term: ControlTerm): void {
    const name = JSON.stringify(step);
    if (term.running.has(name)) return;
    term.running.add(name);
    term.memory.begun(step, state);
    this.#steps[step.kind] += 1;
    this.#parts.platform.spawn('shard-control', async () => {
      await this.#run(step, term);
      term.running.delete(name);
    });
  }

  async #run(step: Step, { memory, reports }: ControlTerm): Promise<void> {
    const { platform, node } = this.#parts;
    try {
      await runStep(node, reports, step);
      const nodes = 'nodes' in step ? step.nodes.join() : '';
      const at = 'at' in step && step.at !== null ? keyText(step.at) : '';
      platform.log.info('a step for shards', { ...step, nodes, at });
    } catch (error) {
      if (isFlotillaError(error, 'FLOTILLA_STOPPED')) return this.stop();
      // What it was decided on has changed, or somebody could not be reached: it is decided anew.
      this.#refused += 1;
      memory.failed(step);
      platform.log.debug('a step for shards was not taken', { kind: step.kind, reason: messageOf(error) });
    }
  }
}

/** What a controller has in memory, from when it began to lead. */
class ControlTerm {
  readonly reports: ShardReports;
  readonly memory = new StepMemory(limits.controlStepMs);
  /** Steps that have been asked for, and not answered: no other look asks for the same. */
  readonly running = new Set<string>();
  #budgetBytes = 0;
  #atMs: number;

  constructor(platform: Platform, node: ControlNode) {
    this.reports = new ShardReports(platform, node);
    this.#atMs = platform.now();
  }

  /** Bytes that may be moved for balance alone: fills with time. */
  budget(nowMs: number): number {
    const comes = ((nowMs - this.#atMs) / 1_000) * limits.balanceBytesPerSecond;
    this.#atMs = nowMs;
    this.#budgetBytes = Math.min(limits.balanceBytesMax, this.#budgetBytes + comes);
    return this.#budgetBytes;
  }

  spend(bytes: number): void {
    this.#budgetBytes -= bytes;
  }
}

/** With many shards a look costs much: they are looked at less often then, and what has changed is looked at all the same. */
function pauseAfter(tookMs: number, isBusy: boolean): number {
  if (isBusy) return Math.max(limits.controlBusyMs, limits.controlBusyFactor * tookMs);
  const leastMs = Math.max(limits.controlIdleMs, limits.controlIdleFactor * tookMs);
  return Math.min(leastMs, limits.controlIdleMaxMs);
}

/**
 * Whether something is to be expected soon: of nodes that have come or gone lately, too. The order group's own shard is
 * on every node: its members are no sign.
 */
function isUnderWay({ nowMs, nodes, shards, wishes }: ClusterState): boolean {
  if (wishes.merges.size > 0 || wishes.leaving.size > 0 || wishes.presplits.length > 0) return true;
  const isAwaited = nodes.some(
    ({ live, sinceMs }) => nowMs - sinceMs < (live ? limits.nodeSteadyMs : limits.nodeAwaitedMs),
  );
  if (isAwaited) return true;
  return shards.some((status) => status.report?.draining === true || !isSettled(status));
}
