import { isFlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { fromEventLoop, generatedTape, World } from '@flotilla/sim';
import { expect, it } from 'vitest';
import { configurationOf } from '../../src/core/configuration.ts';
import { Recovery } from '../../src/recovery/index.ts';
import { Replica } from '../../src/replica/index.ts';
import { add, Sum } from './replica-cluster.ts';

type Phase = 'three' | 'recovery' | 'alone';

/**
 * Three members that have everything; two are lost for ever. The third is recovered, the machine loses its power in the
 * middle of that, and it is recovered again when that is still needed.
 */
class LostQuorum {
  readonly world: World;
  /** In the middle of a recovery. */
  recovering = false;
  served = 0;
  #phase: Phase = 'three';
  readonly #replicas = new Map<string, Replica<Sum>>();

  constructor(seed: number) {
    const settings = { accessMs: 0.1, syncMinMs: 0.1, syncMaxMs: 1 };
    this.world = new World({ tape: generatedTape(seed), settings });
    for (let id = 1; id <= 5; id += 1) this.world.addNode(`n${id}`, (platform) => this.#main(id, platform));
  }

  /** Whether the recovery was over before the crash came. */
  run(events: number): boolean {
    const { world } = this;
    for (const name of ['n1', 'n2', 'n3']) world.node(name).start();
    world.run(30_000, () => this.#replicas.size === 3);
    world.after(0, () => void this.#addAll('n1', 5), world.node('n1').life);
    world.run(30_000, () => this.served === 5 && this.#total('n3') === 5);
    for (const name of ['n1', 'n2', 'n3']) world.node(name).crash({ unreachable: true });
    this.#phase = 'recovery';
    world.node('n3').start();
    let left = events;
    world.run(30_000, () => this.#isIn('alone') || (this.recovering && (left -= 1) < 0));
    const finished = this.#isIn('alone');
    world.node('n3').crash({ unreachable: true });
    world.node('n3').start();
    world.run(60_000, () => this.served === 10 && this.#replicas.size === 3);
    const { violation } = world;
    const total = this.#total('n5');
    world.end();
    if (violation !== null) throw new Error(`${violation.message}\n${violation.stack}`);
    expect(total).toBe(10);
    return finished;
  }

  #isIn(phase: Phase): boolean {
    return this.#phase === phase;
  }

  async #main(id: number, platform: Platform): Promise<void> {
    this.#replicas.delete(platform.nodeName);
    if (id === 3 && this.#phase === 'recovery') await this.#recover(platform);
    const replica = await Replica.open({
      id,
      dataDir: 'data',
      peers: new Map([1, 2, 3, ...(id > 3 ? [id] : [])].map((peer) => [peer, `n${peer}:7000`])),
      join: id > 3,
      listen: '0.0.0.0:7000',
      stateMachine: new Sum(),
      config: { host: { logLimits: { segmentBytes: 16 * 1024 } } },
      platform,
    });
    this.#replicas.set(platform.nodeName, replica);
    if (id !== 3 || this.#phase !== 'alone') return;
    for (const newcomer of [4, 5]) {
      this.world.node(`n${newcomer}`).start();
      await replica.changeMembership({ add: { id: newcomer, address: `n${newcomer}:7000` } });
    }
    await this.#addAll('n5', 5);
  }

  async #recover(platform: Platform): Promise<void> {
    const initialConfiguration = configurationOf([1, 2, 3]);
    const recovery = await Recovery.open({ platform, dataDir: 'data', group: 0, initialConfiguration });
    try {
      const plan = recovery.plan([3]);
      this.recovering = true;
      await recovery.force(plan);
    } catch (error) {
      // The crash came after the last sync, and before anybody knew.
      if (!isFlotillaError(error, 'FLOTILLA_RECOVERY_REFUSED')) throw error;
    }
    await recovery.close();
    this.#phase = 'alone';
  }

  async #addAll(name: string, count: number): Promise<void> {
    for (let i = 0; i < count; i += 1) {
      await this.#replicas.get(name)?.propose(add(1));
      this.served += 1;
    }
  }

  #total(name: string): number | undefined {
    let total: number | undefined;
    void this.#replicas.get(name)?.read(({ total: seen }) => (total = seen), { consistency: 'local' });
    return total;
  }
}

it('a recovery that is cut off at any step can be made again, and loses nothing that was there', async () => {
  let events = 0;
  for (let finished = false; !finished; events += 1) {
    finished = await fromEventLoop(() => new LostQuorum(events + 1).run(events));
  }
  expect(events).toBeGreaterThan(10);
});
