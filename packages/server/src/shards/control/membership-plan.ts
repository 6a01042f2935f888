/** What the leader of a shard knows when it looks at where its replicas are wanted. */
export interface MembershipView {
  readonly self: number;
  /** As Raft has it. */
  readonly configuration: Members;
  /** As the order assigns them; null: nothing is asked for. */
  readonly wanted: readonly number[] | null;
  /** It drains for a change of its range: its members stay until then. */
  readonly draining: boolean;
  readonly isLive: (node: number) => boolean;
}

export interface Members {
  readonly voters: readonly number[];
  readonly votersOutgoing: readonly number[];
  readonly learners: readonly number[];
}

/**
 * The next change of a shard's members. Each can be tried again, by any leader: what was done already is seen in the
 * configuration. `promote` is tried until the learners have caught up, which Raft says.
 */
export type MembershipStep =
  | { readonly kind: 'add-learner'; readonly node: number }
  | { readonly kind: 'remove'; readonly node: number }
  | { readonly kind: 'promote'; readonly nodes: readonly number[]; readonly removes: readonly number[] }
  | { readonly kind: 'transfer-leader'; readonly to: number }
  | { readonly kind: 'leave-joint' };

/**
 * From the members that a shard has to those that it should have: first the newcomers learn, all of them, then one joint
 * change makes them voters in the place of those that go. So there is never a voter that is behind, nor one too few.
 * Null: there is nothing to do, or nothing that would be safe.
 */
export function membershipStep(view: MembershipView): MembershipStep | null {
  const { self, configuration, wanted, draining } = view;
  const { voters, votersOutgoing, learners } = configuration;
  if (votersOutgoing.length > 0) return { kind: 'leave-joint' };
  if (wanted === null || wanted.length === 0 || draining) return null;
  const unwanted = learners.find((node) => !wanted.includes(node));
  if (unwanted !== undefined) return { kind: 'remove', node: unwanted };
  const newcomers = wanted.filter((node) => !voters.includes(node));
  const unknown = newcomers.find((node) => !learners.includes(node));
  if (unknown !== undefined) return view.isLive(unknown) ? { kind: 'add-learner', node: unknown } : null;
  const removes = voters.filter((node) => !wanted.includes(node));
  if (newcomers.length === 0 && removes.length === 0) return null;
  if (!hasLiveMajority(view, wanted) || newcomers.some((node) => !view.isLive(node))) return null;
  if (removes.includes(self)) return withoutSelf(view, newcomers, removes);
  return { kind: 'promote', nodes: newcomers, removes };
}

/**
 * A leader that goes sees to the newcomers first: another one in the middle of what they are sent would begin with it anew.
 * Then it hands over, to one that stays or to one of them.
 */
function withoutSelf(
  { self, configuration, wanted, isLive }: MembershipView,
  newcomers: readonly number[],
  removes: readonly number[],
): MembershipStep {
  const heir = configuration.voters.find((node) => wanted?.includes(node) === true && isLive(node));
  if (newcomers.length === 0 && heir !== undefined) return { kind: 'transfer-leader', to: heir };
  return { kind: 'promote', nodes: newcomers, removes: removes.filter((node) => node !== self) };
}

function hasLiveMajority({ isLive }: MembershipView, nodes: readonly number[]): boolean {
  return nodes.filter((node) => isLive(node)).length * 2 > nodes.length;
}
