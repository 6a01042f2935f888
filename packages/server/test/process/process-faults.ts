import type { Random } from '@flotilla/platform';
import { type MemberProcess, pause, type ProcessCluster } from './process-cluster.ts';

const faultMsMax = 3_000;
const leaderMs = 60_000;

/** What can happen to a cluster of processes. */
export const faultKinds = [
  'kill',
  'kill-two',
  'kill-all',
  'kill-controller',
  'stop',
  'isolate',
  'mute',
  'deaf',
  'reset',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Draws faults, each done and over when it has told of itself: who was hit runs and is connected again. */
export class ProcessFaults {
  readonly counts = new Map<FaultKind, number>();
  readonly #cluster: ProcessCluster;
  readonly #random: Random;
  #drawn: FaultKind[] = [];

  constructor(cluster: ProcessCluster, random: Random) {
    this.#cluster = cluster;
    this.#random = random;
  }

  /** Every kind comes once before any comes twice. In words, what happened. */
  async strike(): Promise<string> {
    if (this.#drawn.length === 0) this.#drawn = [...faultKinds];
    const [kind] = this.#drawn.splice(this.#random.below(this.#drawn.length), 1) as [FaultKind];
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const durationMs = faultMsMax * this.#random.float();
    return `${await this.#strike(kind, durationMs)} (${durationMs.toFixed(0)} ms)`;
  }

  async #strike(kind: FaultKind, durationMs: number): Promise<string> {
    const { members } = this.#cluster;
    switch (kind) {
      case 'kill':
        return await this.#kill([await this.#victim()], durationMs);
      case 'kill-two': {
        const first = await this.#victim();
        const others = members.filter((member) => member !== first);
        const second = others[this.#random.below(others.length)] as MemberProcess;
        return await this.#kill([first, second], durationMs);
      }
      case 'kill-all':
        return await this.#kill(members, 0);
      case 'kill-controller':
        return `the controller: ${await this.#kill([await this.#cluster.leader(leaderMs)], durationMs)}`;
      case 'stop': {
        const victim = await this.#victim();
        this.#cluster.freeze(victim);
        await pause(durationMs);
        this.#cluster.thaw(victim);
        return `${nameOf(victim)} was stopped`;
      }
      case 'isolate':
      case 'mute':
      case 'deaf':
        return await this.#cut(kind, await this.#victim(), durationMs);
      case 'reset':
        this.#cluster.links?.partition(members.map(({ index }) => index).filter((index) => index % 2 === 0));
        this.#cluster.links?.partition([]);
        return 'many connections between members were cut and made anew';
    }
  }

  async #kill(victims: readonly MemberProcess[], durationMs: number): Promise<string> {
    await Promise.all(victims.map((victim) => this.#cluster.kill(victim)));
    await pause(durationMs);
    await Promise.all(victims.map((victim) => this.#cluster.restart(victim)));
    return `${victims.map(nameOf).join(', ')} killed`;
  }

  async #cut(kind: 'isolate' | 'mute' | 'deaf', victim: MemberProcess, durationMs: number): Promise<string> {
    const { links, members } = this.#cluster;
    const others = members.filter((member) => member !== victim).map(({ index }) => index);
    if (kind === 'isolate') links?.partition([victim.index]);
    else if (kind === 'mute') links?.silence([victim.index], others);
    else links?.silence(others, [victim.index]);
    await pause(durationMs);
    links?.partition([]);
    links?.silence([], []);
    const what = { isolate: 'cut off', mute: 'heard by nobody', deaf: 'told nothing' }[kind];
    return `${nameOf(victim)} was ${what}`;
  }

  /** Every other time whoever leads group 0. */
  async #victim(): Promise<MemberProcess> {
    const { members } = this.#cluster;
    const drawn = this.#random.below(2 * members.length);
    return members[drawn] ?? (await this.#cluster.leader(leaderMs));
  }
}

function nameOf({ index }: MemberProcess): string {
  return `n${index + 1}`;
}
