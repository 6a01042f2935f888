import { type Random, seededRandom } from '@flotilla/platform';
import { everyShard, orderShard, type ShardId } from '@flotilla/store';
import { defaultSettings, type PlacementSettings } from '../../src/placement/settings.ts';
import type { ClusterState } from '../../src/shards/control/cluster-state.ts';
import { nextSteps, type Step, type StepOptions } from '../../src/shards/control/next-steps.ts';
import { StepMemory } from '../../src/shards/control/step-memory.ts';
import { ClusterModel } from './cluster-model.ts';

export const modelSettings: PlacementSettings = {
  ...defaultSettings,
  lostAfterMs: 20_000,
  steadyAfterMs: 3_000,
};

/** Decides with what it saw, and may come to its deeds much later, or never. */
class Controller {
  readonly #memory = new StepMemory(8_000);
  #steps: Step[] = [];

  look(state: ClusterState, options: Omit<StepOptions, 'underWay'>): number {
    const { steps } = nextSteps(state, { ...options, underWay: this.#memory.underWay(state) });
    for (const step of steps) this.#memory.begun(step, state);
    this.#steps = [...steps];
    return steps.length;
  }

  next(): Step | null {
    return this.#steps.shift() ?? null;
  }
}

/**
 * A cluster under an operator who changes his mind, with nodes that come and go, and with controllers that end between
 * any two steps, beside others that have not heard that they are controllers no more.
 */
export class ControlRun {
  readonly model: ClusterModel;
  readonly random: Random;
  #controllers = [new Controller(), new Controller(), new Controller()];
  #down: number | null = null;
  /** Steps that were decided since somebody last asked. */
  decided = 0;

  constructor(seed: number, nodes: number) {
    this.random = seededRandom(seed);
    this.model = new ClusterModel(this.random.fork('model'), nodes);
  }

  chaos(ticks: number): void {
    this.model.losses = 20;
    for (let i = 0; i < ticks; i += 1) {
      if (this.random.below(6) === 0) this.#operate();
      if (this.random.below(10) === 0) this.#failOrReturn();
      // Any of them may believe that it is the controller.
      const place = this.random.below(3);
      if (this.random.below(8) === 0) this.#controllers[place] = new Controller();
      const controller = this.#controllers[place] as Controller;
      if (this.random.below(2) === 0) controller.look(this.model.state(), this.#options());
      for (let step = controller.next(); step !== null; step = controller.next()) {
        this.model.execute(step);
        if (this.random.below(4) === 0) break;
      }
      this.model.tick();
    }
  }

  /** Nothing fails any more, and one controller is left, which knows nothing of what those before it did. */
  settle(ticks: number): boolean {
    this.model.losses = 0;
    const controller = new Controller();
    let quiet = 0;
    for (let i = 0; i < ticks && quiet < 30; i += 1) {
      const steps = controller.look(this.model.state(), this.#options());
      this.decided += steps;
      for (let step = controller.next(); step !== null; step = controller.next()) this.model.execute(step);
      this.model.tick();
      // The steps of a shard that is on its way are its leader's.
      quiet = steps === 0 && !this.#isUnderWay() ? quiet + 1 : 0;
    }
    return quiet >= 30;
  }

  /** What is wrong with where it has come to; null: nothing. */
  complaint(): string | null {
    const { configuration, groups } = this.model;
    const state = this.model.state();
    const fit = state.nodes.filter((node) => node.state === 'joined' && node.live).map(({ node }) => node);
    for (const { node, state: its } of state.nodes) {
      if (its === 'draining' && state.wishes.leaving.has(node)) return `node ${node} has not left`;
    }
    if (state.wishes.merges.size > 0) return 'a merge that was asked for is neither done nor forgotten';
    for (const { shard } of configuration.map.rows) {
      if (shard === orderShard) continue;
      const group = groups.get(shard);
      if (group === undefined) return `shard ${shard} has no group`;
      if (group.learners.size > 0 || group.outgoing.length > 0) return `shard ${shard} is left on its way`;
      const alien = group.voters.find((node) => !fit.includes(node));
      if (alien !== undefined) return `shard ${shard} is still on node ${alien}`;
      const wanted = Math.min(state.wishes.replicasOf.get(shard) ?? state.wishes.replicas, fit.length);
      if (group.voters.length !== wanted)
        return `shard ${shard} has ${group.voters.length} of ${wanted} replicas`;
    }
    return null;
  }

  #isUnderWay(): boolean {
    for (const { shard, voters, learners, outgoing, draining } of this.model.groups.values()) {
      const assigned = this.model.configuration.assignment(shard)?.nodes ?? voters;
      if (learners.size + outgoing.length > 0 || draining !== null) return true;
      if (assigned.length !== voters.length || assigned.some((node) => !voters.includes(node))) return true;
    }
    return false;
  }

  #options(): Omit<StepOptions, 'underWay'> {
    return { settings: modelSettings, seed: this.random.below(2 ** 31), budgetBytes: 1024 * 1024 * 1024 };
  }

  #failOrReturn(): void {
    const { model, random } = this;
    if (this.#down !== null) model.setUp(this.#down, true);
    this.#down = random.below(3) === 0 ? null : 1 + random.below(model.nodes.length);
    if (this.#down !== null) model.setUp(this.#down, false);
  }

  /** Somebody asks for something, knowing the cluster as it is, or as it was. */
  #operate(): void {
    const { model, random } = this;
    const configuration = Math.max(
      0,
      model.configuration.number - (random.below(3) === 0 ? random.below(20) : 0),
    );
    const shards = model.configuration.map.rows.map(({ shard }) => shard);
    const place = random.below(shards.length);
    const [shard, right] = [shards[place] as ShardId, shards[place + 1]];
    const node = 1 + random.below(model.nodes.length);
    const traits = { node, zone: `z${node % 3}`, labels: [], configuration };
    const joined = model.configuration.nodes.filter(({ state }) => state === 'joined').length;
    switch (random.below(7)) {
      case 0:
        if (joined > 6) model.propose({ kind: 'node', state: 'draining', ...traits });
        return;
      case 1:
        if (joined > 6 || model.configuration.node(node)?.state === 'draining') {
          model.propose({
            kind: 'node',
            state: 'draining',
            ...traits,
            configuration: model.configuration.number,
          });
          model.propose({
            kind: 'wish',
            wish: 'leaving',
            id: node,
            value: 1,
            configuration: model.configuration.number,
          });
        }
        return;
      case 2:
        model.propose({ kind: 'node', state: 'joined', ...traits });
        return;
      case 3:
        if (right === undefined || shards.length < 4) return;
        if (random.below(2) === 0 && shard !== orderShard) {
          model.propose({ kind: 'wish', wish: 'merge', id: shard, value: right, configuration });
        } else model.propose({ kind: 'wish', wish: 'merge', id: right, value: shard, configuration });
        return;
      case 4: {
        const id = random.below(2) === 0 ? everyShard : shard;
        model.propose({ kind: 'wish', wish: 'replicas', id, value: 3 + 2 * random.below(2), configuration });
        return;
      }
      case 5:
        this.#moveByHand(shard, node, configuration);
        return;
      default: {
        const range = model.configuration.map.row(shard)?.range ?? 0;
        model.propose({ kind: 'wish', wish: 'kept', id: shard, value: 1, configuration });
        model.execute({ kind: 'split', shard, at: null, range, why: 'asked' });
      }
    }
  }

  #moveByHand(shard: ShardId, to: number, configuration: number): void {
    const now = this.model.groups.get(shard)?.voters ?? [];
    if (shard === orderShard || now.includes(to)) return;
    const from = now[this.random.below(now.length)];
    const nodes = [...now.filter((node) => node !== from), to].sort((a, b) => a - b);
    this.model.propose({ kind: 'assign', shard, nodes, configuration });
  }
}
