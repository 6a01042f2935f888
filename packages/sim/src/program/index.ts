export { loadProgram } from './program.ts';
export type { Program, ProgramOptions, ProgramStart, RunningProgram } from './program.ts';
export type { SourceTransform } from './module-unit.ts';
export type { UncontrolledPolicy } from './runtime.ts';
