export * from './report.ts';
export * from './story.ts';
