import { assert, seededRandom } from '@flotilla/platform';
import { Coverage, generatedTape, runScenario, TraceHash } from '@flotilla/sim';
import type { FaultRecord, RunResult, Scenario, Tape } from '@flotilla/sim';
import type { NodeView, ShardView } from '../../src/placement/cluster-view.ts';
import type { Operation } from '../../src/placement/operation.ts';
import { refusalOfOperation } from '../../src/placement/operation-check.ts';
import { plan } from '../../src/placement/plan.ts';
import { PlacementState } from '../../src/placement/placement-state.ts';
import { defaultSettings, type PlacementSettings } from '../../src/placement/settings.ts';
import { judgeEnd, judgeShard } from './placement-judge.ts';
import { PlacementWorld } from './placement-world.ts';

const measures = {
  faultsMs: 3_600_000,
  faults: 12,
  /** Quiet for so long counts as steady: longer than a node needs to count as steady itself. */
  quietMs: 240_000,
  convergenceMs: 6 * 3_600_000,
  /** Nothing at all may be decided for so long afterwards. */
  steadyMs: 1_800_000,
  returns: 2,
  mebibyte: 1024 * 1024,
} as const;

/**
 * Placement over clusters of all shapes whose nodes and zones fail, come back, flap, come and go, under controllers that
 * die: no step may endanger a shard or break a limit, the cluster must come to rest, balanced and spread, and then
 * nothing moves.
 */
export const placementScenario: Scenario = {
  name: 'placement',
  run: (tape) => new PlacementRun(tape).run(),
};

/** The scenario of mutations of placement. */
export async function run(
  seed: number,
): Promise<{ readonly violation: null | { readonly invariant: string; readonly message: string } }> {
  const { violation } = await runScenario(placementScenario, generatedTape(seed));
  return { violation: violation === null ? null : { invariant: violation.name, message: violation.message } };
}

class PlacementRun {
  readonly #tape: Tape;
  readonly #world: PlacementWorld;
  readonly #settings: PlacementSettings;
  readonly #coverage = new Coverage();
  readonly #hash = new TraceHash();
  readonly #faults: FaultRecord[] = [];
  readonly #gone = new Set<number>();
  #violation: RunResult['violation'] = null;

  constructor(tape: Tape) {
    this.#tape = tape;
    this.#settings = this.#drawSettings();
    const nodes = this.#drawNodes();
    const shards = this.#drawShards(nodes);
    this.#world = new PlacementWorld({
      settings: this.#settings,
      nodes,
      shards,
      shardCount: shards.length,
      random: seededRandom(tape.choose(0x1_0000, 'stream of the world')),
      tickMs: 4000,
      bandwidthBytesPerSecond: 40 * measures.mebibyte,
      budgetBytesPerSecond: 100 * measures.mebibyte,
      budgetBurstBytes: 1024 * measures.mebibyte,
      operationMinMs: 10,
      operationMaxMs: 10 + 20 * tape.choose(200, 'slowness of operations'),
      planner: (state, options) => this.#planned(state, options.seed),
      onShard: (view) => this.#check(() => judgeShard(this.#world?.state ?? null, view, this.#settings)),
    });
  }

  run(): RunResult {
    const world = this.#world;
    for (let i = 0; i < measures.faults; i += 1) {
      world.at(this.#tape.choose(measures.faultsMs, 'time of a fault'), () => this.#fault());
    }
    world.run(measures.faultsMs, () => this.#violation !== null);
    if (this.#violation === null) this.#rest();
    return {
      violation: this.#violation,
      events: world.events,
      simulatedMs: world.nowMs,
      traceHash: this.#hash.toString(),
      coverage: this.#coverage.toJSON(),
      faults: this.#faults,
    };
  }

  #rest(): void {
    const world = this.#world;
    this.#tell('heal everything');
    for (const { id } of world.state.nodes.views) if (!this.#gone.has(id)) world.hear(id);
    world.beginPhase();
    const isSteady = world.runUntilSteady(measures.quietMs, measures.convergenceMs);
    if (this.#violation !== null) return;
    if (!isSteady) {
      this.#violate(
        'no convergence',
        `operations are decided ${measures.convergenceMs} ms after the last fault`,
      );
      return;
    }
    this.#check(() => {
      judgeEnd(world.state);
      // On the way to rest after so much at once a replica may be moved back, by another dimension or another rule; more
      // than a few are two rules that work against each other.
      const { thrash } = world.movement;
      this.#coverage.count('replica came back', thrash);
      assert(thrash <= measures.returns, () => `${thrash} replicas came back`);
    });
    world.beginPhase();
    world.run(world.nowMs + measures.steadyMs, () => this.#violation !== null);
    const decided = world.lastDecisionMs > world.nowMs - measures.steadyMs;
    if (decided && this.#violation === null) this.#violate('restless', 'a steady cluster was changed');
    // A controller that begins from the views alone sees nothing to do either.
    const views = [...world.state.shardViews()];
    const again = PlacementState.of(this.#settings, world.nowMs, world.state.nodes.views, views);
    again.budgetBytes = measures.mebibyte;
    const { operations } = plan(again, { seed: 1 });
    if (operations.length > 0) this.#violate('restless', `a new controller decides ${operations[0]?.reason}`);
  }

  #planned(state: PlacementState, seed: number): ReturnType<typeof plan> {
    // Explaining looks at every node: now and then is enough.
    const asked = seed % 32 === 0 ? [1] : [];
    const result = plan(state, { seed, explain: asked });
    this.#check(() => {
      for (const operation of result.operations) {
        this.#coverage.count(operation.kind);
        this.#coverage.count(operation.reason);
        this.#hash.addString(operation.kind);
        this.#hash.add(operation.shard);
        this.#judgeOperation(state, operation);
      }
      for (const { shard } of result.explanations)
        assert(asked.includes(shard), 'who asked gets an explanation');
      assert(
        result.explanations.length === asked.length,
        'an explanation for every shard that was asked for',
      );
      if (result.operations.length > 0) this.#judgeLimits(state, result.operations);
    });
    return result;
  }

  #judgeOperation(state: PlacementState, operation: Operation): void {
    const refused = refusalOfOperation(state, operation);
    assert(refused === null, () => `${operation.kind} is refused where it was decided: ${refused?.message}`);
    if (operation.kind !== 'add-learner') return;
    const target = this.#world.node(operation.node);
    assert(target.life === 'serving' && !target.silent, `node ${target.id} may get replicas`);
    assert(
      this.#world.nowMs - target.sinceMs >= this.#settings.steadyAfterMs,
      () => `node ${target.id} is steady before it gets anything`,
    );
    if (operation.reason === 'replace-lost') {
      const lost = this.#world.node(operation.replaces!);
      assert(
        lost.silent && this.#world.nowMs - lost.sinceMs >= this.#settings.lostAfterMs,
        'only what is lost is replaced: restarts move nothing',
      );
    }
  }

  #judgeLimits(state: PlacementState, operations: readonly Operation[]): void {
    const incoming = new Map<number, number>();
    const outgoing = new Map<number, number>();
    for (const view of state.shardViews()) {
      if (!view.replicas.some(({ role }) => role === 'learner') && view.operation?.kind !== 'add-learner')
        continue;
      const node = view.replicas.find(({ role }) => role === 'learner')?.node ?? -1;
      const target = view.operation?.kind === 'add-learner' ? view.operation.node : node;
      incoming.set(target, (incoming.get(target) ?? 0) + 1);
      if (view.leader !== null) outgoing.set(view.leader, (outgoing.get(view.leader) ?? 0) + 1);
    }
    for (const operation of operations) {
      if (operation.kind !== 'add-learner') continue;
      const leader = state.shard(operation.shard)?.leader ?? -1;
      const ins = (incoming.get(operation.node) ?? 0) + 1;
      const outs = (outgoing.get(leader) ?? 0) + 1;
      incoming.set(operation.node, ins);
      outgoing.set(leader, outs);
      assert(ins <= this.#settings.movesInPerNode, () => `node ${operation.node} takes in ${ins} replicas`);
      assert(outs <= this.#settings.movesOutPerNode, () => `node ${leader} sends ${outs} replicas`);
    }
  }

  #fault(): void {
    const tape = this.#tape;
    const world = this.#world;
    const { views } = world.state.nodes;
    const { id } = views[tape.choose(views.length, 'node of a fault')]!;
    const faults: readonly (() => void)[] = [
      () => {},
      () => this.#silence([id], 5_000 + tape.choose(300_000, 'length of a restart'), 'restart'),
      () => this.#silence([id], 600_000 + tape.choose(1_800_000, 'length of a loss'), 'loss'),
      () => {
        const zone = views.filter((its) => its.zone === world.node(id).zone).map((its) => its.id);
        this.#silence(zone, tape.choose(1_800_000, 'length of a zone loss'), 'zone loss');
      },
      () => {
        const flaps = Math.min(10, Math.floor((measures.faultsMs - world.nowMs) / 40_000));
        for (let i = 0; i < flaps; i += 1)
          world.at(world.nowMs + i * 40_000, () => this.#silence([id], 20_000, 'flap'));
      },
      () => this.#join(),
      () => this.#drain(id),
      () => {
        this.#tell('the controller dies');
        this.#coverage.count('controller replaced');
        world.replaceController();
      },
      () => this.#reload(),
    ];
    faults[tape.choose(faults.length, 'fault')]!();
  }

  #silence(ids: readonly number[], forMs: number, name: string): void {
    const world = this.#world;
    const hit = ids.filter((id) => !world.node(id).silent);
    if (hit.length === 0) return;
    this.#coverage.count(name);
    this.#tell(`${name}: nodes ${hit.join(', ')} are silent for ${forMs} ms`);
    for (const id of hit) world.silence(id);
    world.at(world.nowMs + forMs, () => {
      for (const id of hit) if (!this.#gone.has(id)) world.hear(id);
    });
  }

  #join(): void {
    const world = this.#world;
    const { views } = world.state.nodes;
    const like = views[this.#tape.choose(views.length, 'zone of a new node')]!;
    const id = views.length + 1;
    this.#coverage.count('node added');
    this.#tell(`node ${id} joins ${like.zone}`);
    world.setNode({ ...like, id, life: 'serving', silent: false, sinceMs: world.nowMs, usedBytes: 0 });
  }

  #drain(id: number): void {
    const world = this.#world;
    const { views } = world.state.nodes;
    const policy = Math.max(...this.#settings.policies.map(({ replicas }) => replicas));
    const stay = views.filter((its) => its.life === 'serving' && its.id !== id && !this.#gone.has(its.id));
    if (stay.length < policy || world.node(id).life !== 'serving') return;
    this.#coverage.count('node drained');
    this.#tell(`node ${id} drains`);
    world.setNode({ ...world.node(id), life: 'draining' });
  }

  /** Sizes and loads become others; some shards become hot. */
  #reload(): void {
    this.#coverage.count('loads changed');
    this.#tell('sizes and loads change');
    for (const view of this.#world.state.shardViews()) {
      const load = this.#drawLoad();
      this.#world.setShard({ ...view, ...load, bytes: this.#drawBytes() });
    }
  }

  #drawSettings(): PlacementSettings {
    const tape = this.#tape;
    const replicas = [3, 1, 5, 2][tape.choose(4, 'replicas')]!;
    const scattered = tape.chance(1, 4, 'merges');
    return {
      ...defaultSettings,
      policies: [{ replicas, labels: [] }],
      movesInPerNode: 1 + tape.choose(4, 'moves in'),
      movesOutPerNode: 1 + tape.choose(4, 'moves out'),
      mergeBytes: scattered ? 32 * measures.mebibyte : 0,
      splitBytes: 96 * measures.mebibyte,
    };
  }

  #drawNodes(): NodeView[] {
    const tape = this.#tape;
    const zones = 1 + tape.choose(4, 'zones');
    const replicas = this.#settings.policies[0]!.replicas;
    const count = Math.max(replicas + 1, 3) + tape.choose(12, 'nodes');
    const bigger = tape.chance(1, 4, 'a bigger node');
    return Array.from({ length: count }, (_, i) => ({
      id: i + 1,
      zone: `z${i % zones}`,
      labels: [],
      life: 'serving',
      silent: false,
      sinceMs: -1_000_000,
      capacityBytes: (bigger && i === 0 ? 4 : 1) * 256 * 1024 * measures.mebibyte,
      usedBytes: 0,
      capacityLoad: 10_000,
    }));
  }

  /** Everything begins on the first nodes, as where a cluster grew. */
  #drawShards(nodes: readonly NodeView[]): ShardView[] {
    const tape = this.#tape;
    const count = 8 + tape.choose(120, 'shards');
    const replicas = this.#settings.policies[0]!.replicas;
    return Array.from({ length: count }, (_, i) => {
      const first = tape.choose(nodes.length, 'first replica');
      const on = Array.from({ length: replicas }, (_, k) => nodes[(first + k) % nodes.length]!.id);
      return {
        id: i + 1,
        left: i === 0 ? null : i,
        right: i + 1 === count ? null : i + 2,
        epoch: { membership: 1, range: 1 },
        policy: 0,
        bytes: this.#drawBytes(),
        ...this.#drawLoad(),
        sticky: tape.chance(1, 8, 'a sticky shard'),
        replicas: on.map((node) => ({ node, role: 'voter' as const })),
        leader: on[0]!,
        replaces: null,
        movedFrom: [],
        operation: null,
      };
    });
  }

  #drawBytes(): number {
    return (
      this.#tape.choose(this.#tape.chance(1, 20, 'a large shard') ? 200 : 64, 'bytes') * measures.mebibyte
    );
  }

  #drawLoad(): { writes: number; reads: number; hotKey: boolean } {
    const hot = this.#tape.chance(1, 30, 'a hot shard');
    const writes = this.#tape.choose(hot ? 4_000 : 50, 'writes');
    return {
      writes,
      reads: this.#tape.choose(50, 'reads'),
      hotKey: hot && this.#tape.chance(1, 2, 'one hot key'),
    };
  }

  #check(holds: () => void): void {
    if (this.#violation !== null) return;
    try {
      holds();
    } catch (error) {
      const { message } = error as Error;
      this.#violate(message.replace('assertion failed: ', '').replace(/\d+/g, 'N'), message);
    }
  }

  #violate(name: string, message: string): void {
    this.#violation ??= { name, message, stack: null } as RunResult['violation'];
  }

  #tell(text: string): void {
    this.#faults.push({ timeMs: this.#world.nowMs, text });
  }
}
