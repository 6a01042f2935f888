import { membersOf } from '@flotilla/raft';
import { type CommittedOutcome, decodeShardEntry, type RequestOrigin, type ShardId } from '@flotilla/store';
import type { ShardMachine } from '@flotilla/store';
import type { Heirs } from './heirs.ts';
import {
  decodeMessage,
  type DropMessage,
  encodeMessage,
  encodeOutcome,
  type OpenAnswer,
  type OpenMessage,
  paths,
  type RecallMessage,
  type ReportMessage,
  type SubmitMessage,
} from './node-messages.ts';
import type { ReplicaTable } from './replica-table.ts';
import type { ShardSubmitter } from './shard-submitter.ts';
import type { NodeHandler } from './types.ts';

export interface NodeHandlersParts {
  readonly handle: (path: string, handler: NodeHandler) => void;
  readonly replicas: ReplicaTable;
  readonly submitter: ShardSubmitter;
  /** Of any shard that this node has, shard 0 too; null: it has none, or no state of it. */
  readonly state: (shard: ShardId) => ShardMachine | null;
  readonly heirs: Heirs;
  /** False: this node does not lead the order. */
  readonly take: (report: ReportMessage) => boolean;
}

/** What other nodes ask this one for their shards. What they ask for twice is done once. */
export function answerNodes({ handle, replicas, submitter, state, heirs, take }: NodeHandlersParts): void {
  const submit: NodeHandler = (body) => {
    const message = decodeMessage<SubmitMessage>(body);
    return submitter.serve(message, decodeShardEntry(message.entry));
  };
  handle(paths.submit, submit);
  handle(paths.log, submit);
  handle(paths.recall, (body) => {
    const { shard, origin } = decodeMessage<RecallMessage>(body);
    const machine = state(shard);
    if (machine === null) throw new Error(`shard ${shard} is not here`);
    return encodeOutcome(recalled(machine, origin));
  });
  handle(paths.open, async (body) => {
    const emptySince = await replicas.openEmpty(decodeMessage<OpenMessage>(body));
    return encodeMessage({ emptySince } satisfies OpenAnswer);
  });
  handle(paths.drop, (body) => {
    const { shard, index } = decodeMessage<DropMessage>(body);
    replicas.dropped(shard, index);
    return nothing;
  });
  handle(paths.member, (body) => {
    const { shard } = decodeMessage<{ readonly shard: ShardId }>(body);
    const held = replicas.get(shard);
    if (held === null || held.state === null) throw new Error(`shard ${shard} is not here`);
    const { configuration, applied } = held.replica;
    return encodeMessage({ members: membersOf(configuration), index: applied.index });
  });
  handle(paths.gone, (body) => {
    return encodeMessage(
      heirs.gone(decodeMessage<{ readonly replicas: Parameters<Heirs['gone']>[0] }>(body).replicas),
    );
  });
  handle(paths.kept, async (body) => {
    const { heirs: asked } = decodeMessage<{ readonly heirs: Parameters<Heirs['kept']>[0] }>(body);
    return encodeMessage({ kept: await heirs.kept(asked) });
  });
  handle(paths.report, (body) => {
    if (!take(decodeMessage<ReportMessage>(body))) throw new Error('it does not lead the order');
    return nothing;
  });
}

/** What a shard remembers of a transaction that is committed. */
export function recalled(
  machine: ShardMachine,
  origin: Pick<RequestOrigin, 'session' | 'request'>,
): CommittedOutcome | null {
  const outcome = machine.memory.outcomeOf(origin);
  return outcome?.kind === 'committed' ? outcome : null;
}

const nothing = new Uint8Array(0);
