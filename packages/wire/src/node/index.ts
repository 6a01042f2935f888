export * from './http2-server.ts';
