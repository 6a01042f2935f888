import { Buffer } from 'node:buffer';
import { encodeOrderEntry, type OrderEntry } from '@flotilla/store';
import { limits } from '../../limits.ts';
import type { OrderApplied } from '../types.ts';
import type { ControlNode } from './local-shards.ts';
import { refusedByOrder } from './refusals.ts';

type ConfigurationEntry = Extract<OrderEntry, { readonly kind: 'assign' | 'node' | 'wish' | 'presplit' }>;

/**
 * Has the order log a change of what is wanted, and throws what it says to that. Two that are equal in every byte, number
 * of the configuration included, are the same change, whoever wants it: the second finds it done.
 */
export async function proposeChange(node: ControlNode, entry: ConfigurationEntry): Promise<void> {
  const bytes = encodeOrderEntry(entry);
  let answer: { readonly refusal: Error | null } | null = null;
  const unsubscribe = node.onOrder((applied) => {
    if (applied.entry?.kind !== entry.kind) return;
    if (Buffer.compare(encodeOrderEntry(applied.entry), bytes) !== 0) return;
    // A copy that comes later, of another operator too, is refused: it is about what this one has changed.
    answer ??= { refusal: refusalOf(applied, entry) };
  });
  try {
    await node.propose(entry, { timeoutMs: limits.controlStepCallMs });
  } finally {
    unsubscribe();
  }
  const { refusal } = answer ?? unanswered;
  if (refusal !== null) throw refusal;
}

/** A snapshot has jumped over it: whoever waits for what comes of it sees that. */
const unanswered: { readonly refusal: Error | null } = { refusal: null };

function refusalOf({ effects }: OrderApplied, entry: ConfigurationEntry): Error | null {
  for (const effect of effects) {
    if (effect.kind !== 'configuration-refused') continue;
    return refusedByOrder(effect.reason, subjectOf(entry), entry.configuration, effect.configuration);
  }
  return null;
}

function subjectOf(entry: ConfigurationEntry): string {
  if (entry.kind === 'assign') return `shard ${entry.shard}`;
  if (entry.kind === 'node') return `node ${entry.node}`;
  if (entry.kind === 'presplit') return 'where shards begin';
  if (entry.wish === 'leaving') return `node ${entry.id}`;
  return entry.id < 0 ? 'every shard' : `shard ${entry.id}`;
}
