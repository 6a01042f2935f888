export * from './config.ts';
export * from './host.ts';
export * from './incarnation.ts';
export * from './limits.ts';
export type { HostMetrics } from './metrics.ts';
export * from './types.ts';
