export { configurationOf, emptyConfiguration } from './core/configuration.ts';
export { createCore } from './core/core.ts';
export { coreLimits, entryOverheadBytes } from './core/limits.ts';
export { decodeMembershipChange, encodeMembershipChange, leaveJointChange } from './core/membership-codec.ts';
export { applyChange, changeSimply, enterJoint, isJoint, leaveJoint } from './core/membership.ts';
export type { ChangeProblem, ChangeResult } from './core/membership.ts';
export { progressStates } from './core/progress.ts';
export { committedIndex, membersOf, voteResult } from './core/quorum.ts';
export type { VoteResult } from './core/quorum.ts';
export { roles } from './core/roles.ts';
export { transitionTable } from './core/transition-table.ts';
export type {
  EventOf,
  StateOf,
  TransitionCount,
  TransitionLiteral,
  TransitionTable,
} from './core/transition-table.ts';
export type * from './core/types.ts';
export * from './host/index.ts';
export { memberLives } from './host/member-life.ts';
export type { MemberLifeState } from './host/member-life.ts';
export * from './log/index.ts';
export * from './recovery/index.ts';
export * from './replica/index.ts';
export * from './transport/index.ts';
