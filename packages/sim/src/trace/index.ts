export * from './recorder.ts';
export * from './trace.ts';
export { takeRecorder } from './recording.ts';
