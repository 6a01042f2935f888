export * from './http2-client.ts';
export * from './http2-server.ts';
