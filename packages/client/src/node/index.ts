export * from '../index.ts';
export { connect } from './connect.ts';
export type { ConnectOptions } from './connect.ts';
