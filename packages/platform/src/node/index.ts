export * from './node-platform.ts';
export * from './secure-context.ts';
export * from './unix-socket.ts';
