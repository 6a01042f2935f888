import type { GroupStatus, NodeId, Term } from '@flotilla/raft';
import { expect, test } from 'vitest';
import { VirtualPlatform } from '../../../store/test/virtual-platform.ts';
import { elect } from './first-election.ts';

/** A group whose voters answer after so long, or never before they have opened it. */
class SlowGroup {
  readonly platform = new VirtualPlatform(1);
  term = 1;
  role: GroupStatus['role'] = 'follower';
  leader = 0;
  readonly campaigns: number[] = [];
  readonly #answersMs: number;
  readonly #openMs: number;
  #round = 0;

  constructor(answersMs: number, openMs: number) {
    this.#answersMs = answersMs;
    this.#openMs = openMs;
  }

  campaign(): void {
    this.campaigns.push(this.platform.now());
    this.role = 'pre-candidate';
    this.#asked(() => {
      this.role = 'candidate';
      this.term += 1;
      this.#asked(() => {
        this.role = 'leader';
        this.leader = 1;
      });
    });
  }

  status(): GroupStatus {
    const { term, role, leader } = this;
    return { term: term as Term, role, leader: leader as NodeId } as GroupStatus;
  }

  /** Standing again voids what was asked before; who has not opened the group says nothing. */
  #asked(won: () => void): void {
    this.#round += 1;
    const round = this.#round;
    if (this.platform.now() < this.#openMs) return;
    this.platform.timer(this.#answersMs, 'votes', () => {
      if (round === this.#round || this.role === 'pre-candidate') won();
    });
  }

  async run(): Promise<void> {
    const election = elect(this.platform, () => this);
    await this.platform.advance(10_000);
    await election;
  }
}

test('a new group has a leader as soon as the others have opened it', async () => {
  const group = new SlowGroup(1, 30);
  await group.run();
  expect(group.leader).toBe(1);
  expect(group.campaigns.length).toBeLessThan(6);
});

test('votes that come late elect somebody: nobody stands again while they are on their way', async () => {
  for (const answersMs of [20, 90, 400, 1_000]) {
    const group = new SlowGroup(answersMs, 0);
    await group.run();
    expect([answersMs, group.leader, group.term]).toEqual([answersMs, 1, 2]);
  }
});

test('whoever is never answered stops', async () => {
  const group = new SlowGroup(1, Infinity);
  await group.run();
  expect(group.campaigns.length).toBe(10);
});
