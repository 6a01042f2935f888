// Written by scripts/generate.ts from the schemas in proto/. Change those, not this.
export * from './kv.ts';
export * from './auth.ts';
export * from './rpc.ts';
export * from './v3lock.ts';
export * from './v3election.ts';
export * from './health.ts';
export * from './flotilla.ts';
