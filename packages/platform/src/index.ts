export * from './assert.ts';
export * from './disk.ts';
export * from './errors.ts';
export * from './network.ts';
export * from './platform.ts';
export * from './random.ts';
