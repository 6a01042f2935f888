export * from '../index.ts';
export { Replica } from './replica.ts';
export type { NodeReplicaOptions } from './replica.ts';
