export { Recovery } from './recovery.ts';
export type { RecoveryFindings, RecoveryOptions, RecoveryPlan } from './recovery.ts';
export { recoveryLimits } from './limits.ts';
export type { StateOnDisk } from '../host/restore.ts';
