export * from './node-platform.ts';
