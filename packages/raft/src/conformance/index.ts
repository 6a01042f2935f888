export type { ConformanceCase } from './case.ts';
export { logConformance } from './log.ts';
export type { LogIdentity } from './log-bench.ts';
export type { LogUnderTest } from './log.ts';
export { transportConformance } from './transport.ts';
export type { TransportBed, TransportMember } from './transport.ts';
