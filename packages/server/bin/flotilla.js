#!/usr/bin/env node
// Runs the command line straight from its TypeScript sources in a checkout, and from `dist` in a published package.
// tsx is registered inside this process (never a child): the pid that was started is the member.
import { existsSync } from 'node:fs';

const source = new URL('../src/cli/main.ts', import.meta.url);
if (existsSync(source)) {
  const { register } = await import('tsx/esm/api');
  register();
  await import(source.href);
} else {
  await import(new URL('../dist/cli/main.js', import.meta.url).href);
}
