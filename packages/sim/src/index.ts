export * from './event-heap.ts';
export * from './tape.ts';
export * from './trace-hash.ts';
