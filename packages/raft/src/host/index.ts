export * from './config.ts';
export { createHost } from './host.ts';
export { nextIncarnation } from './incarnation.ts';
export * from './limits.ts';
export type { HostMetrics } from './metrics.ts';
export type * from './types.ts';
export { groupOrigin } from './restore.ts';
