export * from './limits.ts';
export * from './types.ts';
export { openLog } from './open-log.ts';
