import { assert, isFlotillaError, type Platform, type Timer, unreachable } from '@flotilla/platform';
import {
  type ApplyResult,
  asTxn,
  type CommittedOutcome,
  type Decision,
  fragmentOf,
  joinParts,
  type PrepareEntry,
  type RefusalReason,
  type ShardId,
  type ShardRow,
  type WriteRequest,
} from '@flotilla/store';
import type { TxnResponse } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { Changes } from './changes.ts';
import type { Deadline } from './deadline.ts';
import type { ShardNode, SubmitReply } from './types.ts';
import type { WriteCall, WriteStep } from './write-call.ts';

export interface CoordinatorParts {
  readonly platform: Platform;
  readonly node: ShardNode;
  readonly changes: Changes;
}

/**
 * Sends a request of several shards to all of them, and puts their parts together (rule 8). It decides nothing: that is
 * the order's, and so it may be lost at any time.
 */
export class Coordinator {
  readonly #platform: Platform;
  readonly #node: ShardNode;
  readonly #changes: Changes;
  /** No two transactions have one id, over all lives of all nodes. */
  readonly #life: string;
  #attempts = 0;
  /** By transaction: who waits for its decision. */
  readonly #undecided = new Map<string, (decision: Decision) => void>();
  readonly #unsubscribe: () => void;

  constructor({ platform, node, changes }: CoordinatorParts) {
    this.#platform = platform;
    this.#node = node;
    this.#changes = changes;
    this.#life = `${node.nodeId}-${platform.random.fork('transactions').u32()}-${platform.random.u32()}`;
    this.#unsubscribe = node.onOrder(({ effects }) => {
      for (const effect of effects) {
        if (effect.kind === 'decided') this.#undecided.get(effect.decision.transaction)?.(effect.decision);
      }
    });
  }

  stop(): void {
    this.#unsubscribe();
  }

  /** One transaction over the shards of one moment. `rows`: those that have its keys, at least two. */
  async attempt(call: WriteCall, rows: readonly ShardRow[], deadline: Deadline): Promise<WriteStep> {
    this.#attempts += 1;
    const { session, request } = call.numbered.origin;
    const transaction = `${session}.${request}.${this.#life}-${this.#attempts}`;
    const participants = rows.map(({ shard, range }) => ({ shard, range }));
    const whole = asTxn(call.write);
    const prepares = rows.map(({ shard, span }) => ({ shard, fragment: fragmentOf(whole, span) }));
    const parts = new Map<ShardId, TxnResponse>();
    const verdict = await new Verdict({
      platform: this.#platform,
      deadline,
      decision: () => this.#node.order?.decisionOf(transaction) ?? null,
      follow: (decided) => {
        this.#undecided.set(transaction, decided);
        return () => this.#undecided.delete(transaction);
      },
      submit: (place) => {
        const { shard, fragment } = prepares[place] as (typeof prepares)[number];
        const { origin } = call.numbered;
        const { user } = call;
        const entry: PrepareEntry = {
          kind: 'prepare',
          transaction,
          origin,
          user,
          participants,
          fragment,
          revokes: null,
          absent: [],
        };
        return this.#node.submit(shard, entry, deadline.patience());
      },
      participants: prepares.length,
      part: (outcome) => takeParts(parts, outcome),
    }).reached();
    return await this.#concluded(call, verdict, parts, deadline);
  }

  /** The answer of a transaction that is committed, from what its participants remember of it. */
  async joined(
    { write, footprint, numbered }: Pick<WriteCall, 'write' | 'footprint' | 'numbered'>,
    committed: CommittedOutcome,
    parts: Map<ShardId, TxnResponse>,
    deadline: Deadline,
  ): Promise<WriteStep> {
    takeParts(parts, committed);
    while (!isWhole(committed, parts)) {
      if (deadline.isOver) return { kind: 'unknown' };
      await this.#changes.next(Math.min(deadline.leftMs, limits.shardPartsAgainMs));
      const rows = this.#node.order?.map.of(footprint.spans) ?? [];
      const missing = rows.map(({ shard }) => shard);
      await Promise.all(missing.map((shard) => this.#recall(shard, numbered, parts, deadline)));
    }
    return { kind: 'answered', result: joinedResult(write, committed, parts), revision: committed.revision };
  }

  async #recall(
    shard: ShardId,
    { origin }: WriteCall['numbered'],
    parts: Map<ShardId, TxnResponse>,
    deadline: Deadline,
  ): Promise<void> {
    if (parts.has(shard)) return;
    try {
      const outcome = await this.#node.recall(shard, origin, deadline.patience(limits.shardReadCallMs));
      if (outcome !== null) takeParts(parts, outcome);
    } catch (error) {
      // Asked again, as long as there is time.
      if (isFlotillaError(error, 'FLOTILLA_STOPPED')) throw error;
    }
  }

  async #concluded(
    call: WriteCall,
    verdict: Concluded,
    parts: Map<ShardId, TxnResponse>,
    deadline: Deadline,
  ): Promise<WriteStep> {
    switch (verdict.kind) {
      case 'answered':
      case 'unknown':
        return verdict;
      case 'aborted':
        return stepOfAbort(verdict.reasons);
      case 'committed': {
        const { transaction, revision, effective, participants } = verdict.decision;
        const { origin } = call.numbered;
        const outcome = verdict.outcome ?? (await this.#firstPart(call, deadline));
        if (outcome === null) return { kind: 'unknown' };
        assert(
          outcome.revision === revision && outcome.effective === effective,
          () => `what ${origin.session}.${origin.request} came to is what was decided of ${transaction}`,
        );
        return await this.joined(call, { ...outcome, participants }, parts, deadline);
      }
      default:
        return unreachable(verdict);
    }
  }

  /** Decided, and nobody that was asked has told of it yet. */
  async #firstPart({ footprint, numbered }: WriteCall, deadline: Deadline): Promise<CommittedOutcome | null> {
    while (!deadline.isOver) {
      for (const { shard } of this.#node.order?.map.of(footprint.spans) ?? []) {
        try {
          const outcome = await this.#node.recall(
            shard,
            numbered.origin,
            deadline.patience(limits.shardReadCallMs),
          );
          if (outcome !== null) return outcome;
        } catch (error) {
          if (isFlotillaError(error, 'FLOTILLA_STOPPED')) throw error;
        }
      }
      await this.#changes.next(Math.min(deadline.leftMs, limits.shardPartsAgainMs));
    }
    return null;
  }
}

type Concluded =
  | { readonly kind: 'answered'; readonly result: ApplyResult; readonly revision: number }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'aborted'; readonly reasons: ReadonlySet<RefusalReason> }
  | {
      readonly kind: 'committed';
      readonly decision: Pick<Decision, 'transaction' | 'revision' | 'effective' | 'participants'>;
      /** Of the first that has told; null: none has. */
      readonly outcome: CommittedOutcome | null;
    };

interface VerdictParts {
  readonly platform: Platform;
  readonly deadline: Deadline;
  readonly decision: () => Decision | null;
  /** Calls back at the decision; the answer unsubscribes. */
  readonly follow: (decided: (decision: Decision) => void) => () => void;
  readonly submit: (place: number) => Promise<SubmitReply>;
  readonly participants: number;
  readonly part: (outcome: CommittedOutcome) => void;
}

/** Sends Prepares until it is known what became of them. */
class Verdict {
  readonly #parts: VerdictParts;
  readonly #reasons = new Set<RefusalReason>();
  /** Places whose Prepare is under way. */
  readonly #sent = new Set<number>();
  #timer: Timer | null = null;
  #conclude: ((concluded: Concluded) => void) | null = null;
  #fail: ((error: unknown) => void) | null = null;

  constructor(parts: VerdictParts) {
    this.#parts = parts;
  }

  async reached(): Promise<Concluded> {
    const unfollow = this.#parts.follow((decision) => this.#decided(decision));
    try {
      return await new Promise<Concluded>((resolve, reject) => {
        this.#conclude = resolve;
        this.#fail = reject;
        this.#send();
      });
    } finally {
      unfollow();
      this.#conclude = null;
      this.#timer?.cancel();
    }
  }

  #send(): void {
    const { deadline, platform, participants } = this.#parts;
    const decision = this.#parts.decision();
    if (decision !== null) {
      this.#decided(decision);
      return;
    }
    if (deadline.isOver) {
      this.#conclude?.({ kind: 'unknown' });
      return;
    }
    for (let place = 0; place < participants; place += 1) this.#submit(place);
    const pauseMs = Math.min(deadline.leftMs, limits.shardPrepareAgainMs);
    this.#timer = platform.timer(pauseMs, 'prepare-again', () => this.#send());
  }

  #submit(place: number): void {
    if (this.#sent.has(place)) return;
    this.#sent.add(place);
    this.#parts.submit(place).then(
      (reply) => {
        this.#sent.delete(place);
        this.#take(reply);
      },
      (error: unknown) => {
        this.#sent.delete(place);
        // Others may have prepared it: only the order knows what becomes of it.
        if (isFlotillaError(error, 'FLOTILLA_STOPPED')) this.#fail?.(error);
      },
    );
  }

  #take(reply: SubmitReply): void {
    switch (reply.kind) {
      case 'answer': {
        const { result, revision } = reply.answer;
        this.#conclude?.({ kind: 'answered', result, revision });
        return;
      }
      case 'part': {
        const { outcome } = reply;
        this.#parts.part(outcome);
        this.#conclude?.({ kind: 'committed', decision: outcome, outcome });
        return;
      }
      case 'aborted': {
        // This node's order may not have come as far; what the shard says of it is the order's word all the same.
        this.#conclude?.({ kind: 'aborted', reasons: this.#reasons });
        return;
      }
      case 'refused':
        this.#reasons.add(reply.reason);
        return;
      default:
        unreachable(reply);
    }
  }

  #decided(decision: Decision): void {
    if (decision.verdict === 'abort') this.#conclude?.({ kind: 'aborted', reasons: this.#reasons });
    else this.#conclude?.({ kind: 'committed', decision, outcome: null });
  }
}

function stepOfAbort(reasons: ReadonlySet<RefusalReason>): WriteStep {
  if (reasons.has('session-expired')) return { kind: 'session-expired' };
  if (reasons.has('finished')) return { kind: 'finished' };
  if (reasons.has('auth-revision')) return { kind: 'auth-revision' };
  if (reasons.has('overloaded')) return { kind: 'overloaded' };
  const isOfMap = reasons.has('epoch') || reasons.has('barrier');
  return { kind: 'again', why: isOfMap ? 'map' : 'conflict' };
}

function takeParts(parts: Map<ShardId, TxnResponse>, outcome: CommittedOutcome): void {
  for (const [shard, part] of outcome.parts) parts.set(shard, part);
}

function isWhole(
  { error, participants }: CommittedOutcome,
  parts: ReadonlyMap<ShardId, TxnResponse>,
): boolean {
  return error !== null || participants.every((shard) => parts.has(shard));
}

function joinedResult(
  write: WriteRequest,
  { revision, effective, error, participants }: CommittedOutcome,
  parts: ReadonlyMap<ShardId, TxnResponse>,
): ApplyResult {
  if (error !== null) return error;
  const ofParticipants = participants.map((shard) => parts.get(shard) as TxnResponse);
  const whole = joinParts(asTxn(write), ofParticipants, { revision, effective });
  // A deletion over several shards was a transaction on its way only.
  const [first] = whole.responses;
  if (write.kind === 'delete-range' && first?.response?.case === 'responseDeleteRange') {
    return { kind: 'delete-range', response: { ...first.response.value, header: whole.header } };
  }
  return { kind: 'txn', response: whole };
}
