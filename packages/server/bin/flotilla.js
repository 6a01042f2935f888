#!/usr/bin/env node
// Runs the command line straight from its TypeScript sources in a checkout, and from `dist` in a published package.
// Nothing here starts a process to run in: the pid that was started is the member.
import { existsSync } from 'node:fs';

const source = new URL('../src/cli/main.ts', import.meta.url);
// Never published, unlike the sources, which are there for source maps.
const isCheckout = existsSync(new URL('../tsconfig.build.json', import.meta.url));
if (!isCheckout) {
  await import(new URL('../dist/cli/main.js', import.meta.url).href);
} else {
  const bundle = ['serve', 'dev', 'maelstrom'].includes(process.argv[2]) ? await findBundle() : null;
  if (bundle === null) {
    const { register } = await import('tsx/esm/api');
    register();
    await import(source.href);
  } else {
    await import(bundle.href);
  }
}

/**
 * A member is started again after every crash, and two hundred modules through tsx's hooks cost more than a second of
 * a core: so they are read from one cached file, which is made anew when a source has changed.
 */
async function findBundle() {
  const { bundled } = await import('./bundle.js');
  return await bundled();
}
