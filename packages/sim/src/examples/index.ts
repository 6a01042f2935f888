export * from './counter.ts';
