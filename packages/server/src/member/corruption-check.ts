import { isFlotillaError, messageOf, type Platform, type Timer } from '@flotilla/platform';
import { orderShard, type SumAt } from '@flotilla/store';
import { AlarmAction, type AlarmMember, AlarmRequest, AlarmType } from '@flotilla/wire';
import { addressOf } from '../configuration/listen-url.ts';
import { limits } from '../limits.ts';
import type { PeerCalls } from '../peer/peer-calls.ts';

export interface CheckedState {
  readonly alarms: readonly AlarmMember[];
  /** Of the state at some indexes, the oldest first; empty: not known. */
  readonly sums: readonly SumAt[];
  /** Reads everything; false: it is not what was applied. Null: not known. */
  verify(): Promise<boolean | null>;
}

/** A shard of a member, beside that of group 0. */
export interface CheckedShard extends Pick<CheckedState, 'sums' | 'verify'> {
  readonly id: number;
}

export interface CheckedMember {
  readonly memberId: bigint;
  readonly peerUrls: readonly string[];
}

export interface CorruptionCheckParts {
  readonly platform: Platform;
  readonly calls: Pick<PeerCalls, 'handle' | 'call'>;
  readonly state: CheckedState;
  readonly shards: () => Iterable<CheckedShard>;
  /** Of how many members a shard's majority is one; null: there is no such shard. */
  readonly replicas: (shard: number) => number | null;
  readonly members: () => readonly CheckedMember[];
  readonly memberId: () => bigint;
  readonly clusterId: bigint;
  readonly leads: () => boolean;
  /** Raises an alarm through the log. */
  readonly propose: (request: Uint8Array) => Promise<unknown>;
  /** How often the leader compares; 0: never. */
  readonly compareMs: number;
  /** How often a member reads its own state, beside the time after its start; 0: never again. */
  readonly verifyMs: number;
}

/**
 * Looks for a member whose state is not what the cluster has agreed on, and raises CORRUPT for it:
 *
 * - The leader asks every member for the sums of its state and compares them at an index that both have applied. Members
 *   that differ from a majority that agrees are wrong; where no majority agrees nobody can tell, and the alarm names
 *   no member, as etcd's does.
 * - The replicas of each shard are compared in the same way, at an index of the shard's log.
 * - Each member reads its own state some time after its start, and as often as it is told to: its storage may have
 *   lost what was written to it.
 *
 * It does not find what a client wrote wrongly, what differs in the history alone, or a difference that two checksums
 * of 32 bits do not show.
 */
export class CorruptionCheck {
  readonly #parts: CorruptionCheckParts;
  readonly #timers = new Map<string, Timer>();
  #stopped = false;

  constructor(parts: CorruptionCheckParts) {
    this.#parts = parts;
    const { clusterId, memberId, state, shards } = parts;
    parts.calls.handle(sumsPath, () => encodeSums({ clusterId, memberId: memberId(), sums: state.sums }));
    parts.calls.handle(shardSumsPath, () => encodeShardSums(clusterId, memberId(), shards()));
    if (parts.compareMs > 0) this.#every(parts.compareMs, 'corruption-compare', () => this.compare());
    const firstMs =
      parts.verifyMs > 0 ? Math.min(parts.verifyMs, limits.firstVerifyMs) : limits.firstVerifyMs;
    this.#after(firstMs, 'corruption-verify', async () => {
      await this.verify();
      if (parts.verifyMs > 0) this.#every(parts.verifyMs, 'corruption-verify', () => this.verify());
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  /** Of all members, by the leader alone. */
  async compare(): Promise<void> {
    const { members, memberId, leads, state, shards, clusterId } = this.#parts;
    if (!leads()) return;
    const own = memberId();
    const others = members().filter((member) => member.memberId !== own);
    const [sums, sumsOfShards] = await Promise.all([
      Promise.all(others.map((member) => this.#ask(member, sumsPath, decodeSums))),
      this.#isSharded
        ? Promise.all(others.map((member) => this.#ask(member, shardSumsPath, decodeShardSums)))
        : [],
    ]);
    // Asked after them, so that what they said is of an index that is not ahead of these.
    const all: Answer[] = [{ memberId: own, sums: state.sums }, ...sums.filter((each) => each !== null)];
    const wrong = new Set(judge(all, majorityOf(others.length + 1)));
    const ownShards = decodeShardSums(encodeShardSums(clusterId, own, shards()));
    for (const memberOfShard of this.#judgeShards([ownShards, ...sumsOfShards])) wrong.add(memberOfShard);
    for (const each of wrong) await this.#raise(each);
  }

  /** Each shard has members of its own. */
  #judgeShards(answers: readonly (OwnShardSums | null)[]): bigint[] {
    const byShard = new Map<number, Answer[]>();
    for (const answer of answers) {
      for (const [shard, sums] of answer?.shards ?? []) {
        const one = { memberId: (answer as OwnShardSums).memberId, sums };
        const before = byShard.get(shard);
        if (before === undefined) byShard.set(shard, [one]);
        else before.push(one);
      }
    }
    return [...byShard].flatMap(([shard, all]) => {
      const replicas = this.#parts.replicas(shard);
      // It has ended meanwhile: its replicas go one by one.
      return replicas === null ? [] : judge(all, majorityOf(replicas));
    });
  }

  get #isSharded(): boolean {
    return this.#parts.replicas(orderShard) !== null;
  }

  async verify(): Promise<void> {
    const { state, shards, memberId } = this.#parts;
    let isRight = (await state.verify()) !== false;
    for (const shard of shards()) {
      if (this.#stopped) return;
      isRight = (await shard.verify()) !== false && isRight;
    }
    if (!isRight) await this.#raise(memberId());
  }

  async #ask<Told extends Omit<OwnSums, 'sums'>>(
    { memberId, peerUrls }: CheckedMember,
    path: string,
    decode: (body: Uint8Array) => Told,
  ): Promise<Told | null> {
    const { calls, platform, clusterId } = this.#parts;
    try {
      const address = addressOf(peerUrls[0] as string);
      const answer = decode(await calls.call(address, path, new Uint8Array(0), limits.compareCallMs));
      // Another cluster's member listens where one of ours did: its state is none of ours, and not a wrong one.
      if (answer.clusterId === clusterId && answer.memberId === memberId) return answer;
      platform.log.warn('somebody else listens where a member should', { memberId: memberId.toString(16) });
      return null;
    } catch (error) {
      // Who is away, or of an older version, is compared another time.
      if (!isFlotillaError(error, 'FLOTILLA_PEER_CALL_UNKNOWN')) {
        platform.log.debug('a member was not compared', { reason: messageOf(error) });
      }
      return null;
    }
  }

  async #raise(memberId: bigint): Promise<void> {
    const { platform, propose, state } = this.#parts;
    const alarm = AlarmType.CORRUPT;
    if (state.alarms.some((each) => each.alarm === alarm && each.memberId === memberId)) return;
    platform.log.error('a member has another state than the cluster has agreed on', {
      memberId: memberId.toString(16),
    });
    try {
      await propose(AlarmRequest.encode({ action: AlarmAction.ACTIVATE, memberId, alarm }));
    } catch (error) {
      platform.log.error('the alarm of corruption was not raised', { reason: messageOf(error) });
    }
  }

  #every(delayMs: number, label: string, work: () => Promise<void>): void {
    this.#after(delayMs, label, async () => {
      await work();
      this.#every(delayMs, label, work);
    });
  }

  #after(delayMs: number, label: string, work: () => Promise<void>): void {
    if (this.#stopped) return;
    const { platform } = this.#parts;
    this.#timers.set(
      label,
      platform.timer(delayMs, label, () => platform.spawn(label, work)),
    );
  }
}

interface Answer {
  readonly memberId: bigint;
  readonly sums: readonly SumAt[];
}

/** Whom to raise the alarm for; 0: somebody. `majority` counts the members that did not answer, too. */
export function judge(answers: readonly Answer[], majority: number): readonly bigint[] {
  const camps: Answer[][] = [];
  for (const answer of answers) {
    const camp = camps.find(([first]) => agree(first as Answer, answer) === true);
    if (camp === undefined) camps.push([answer]);
    else camp.push(answer);
  }
  const right = camps.find((camp) => camp.length >= majority);
  if (right !== undefined) {
    const wrong = camps.filter((camp) => camp.every((each) => agree(right[0] as Answer, each) === false));
    return wrong.flat().map(({ memberId }) => memberId);
  }
  const differ = camps.some((camp, i) =>
    camps.slice(i + 1).some((other) => agree(camp[0] as Answer, other[0] as Answer) === false),
  );
  return differ ? [0n] : [];
}

function majorityOf(members: number): number {
  return Math.floor(members / 2) + 1;
}

/** At the newest index that both know; null: there is none. */
function agree(one: Answer, other: Answer): boolean | null {
  const known = new Map(one.sums.map(({ index, sum }) => [index, sum]));
  const shared = other.sums.filter(({ index }) => known.has(index)).at(-1);
  return shared === undefined ? null : known.get(shared.index) === shared.sum;
}

const sumsPath = '/state-sums';
const shardSumsPath = '/shard-sums';

/** Sums, and of whose state they are. */
export interface OwnSums extends Answer {
  readonly clusterId: bigint;
}

export function encodeSums({ clusterId, memberId, sums }: OwnSums): Uint8Array {
  const content: SumsContent = {
    clusterId: clusterId.toString(16),
    memberId: memberId.toString(16),
    sums: sums.map(({ index, sum }) => [index, sum]),
  };
  return new TextEncoder().encode(JSON.stringify(content));
}

export function decodeSums(body: Uint8Array): OwnSums {
  const { clusterId, memberId, sums } = JSON.parse(new TextDecoder().decode(body)) as SumsContent;
  return {
    clusterId: BigInt(`0x${clusterId}`),
    memberId: BigInt(`0x${memberId}`),
    sums: sums.map(([index, sum]) => ({ index, sum })),
  };
}

interface SumsContent {
  readonly clusterId: string;
  readonly memberId: string;
  readonly sums: readonly PlainSum[];
}

type PlainSum = readonly [index: number, sum: number];

/** Those of a member's shards, and of whose they are. */
export interface OwnShardSums extends Omit<OwnSums, 'sums'> {
  readonly shards: ReadonlyMap<number, readonly SumAt[]>;
}

/** Of each the newest: what is told is bounded, however many shards there are. */
export function encodeShardSums(
  clusterId: bigint,
  memberId: bigint,
  checked: Iterable<CheckedShard>,
): Uint8Array {
  const shards = [...checked];
  const most = Math.max(2, Math.floor(limits.comparedSums / Math.max(1, shards.length)));
  const content: ShardSumsContent = {
    clusterId: clusterId.toString(16),
    memberId: memberId.toString(16),
    shards: shards.map(({ id, sums }) => [id, sums.slice(-most).map(({ index, sum }) => [index, sum])]),
  };
  return new TextEncoder().encode(JSON.stringify(content));
}

export function decodeShardSums(body: Uint8Array): OwnShardSums {
  const { clusterId, memberId, shards } = JSON.parse(new TextDecoder().decode(body)) as ShardSumsContent;
  return {
    clusterId: BigInt(`0x${clusterId}`),
    memberId: BigInt(`0x${memberId}`),
    shards: new Map(shards.map(([id, sums]) => [id, sums.map(([index, sum]) => ({ index, sum }))])),
  };
}

interface ShardSumsContent {
  readonly clusterId: string;
  readonly memberId: string;
  readonly shards: readonly (readonly [shard: number, sums: readonly PlainSum[]])[];
}
