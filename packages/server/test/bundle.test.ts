import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const bundle = new URL('../bin/bundle.js', import.meta.url).href;

it('serve and dev start from one file: what cannot be bundled is named, or every start costs seconds', async () => {
  const { bundled } = (await import(bundle)) as { bundled(this: void): Promise<URL | null> };
  const entry = await bundled();
  expect(entry).not.toBeNull();
  expect(existsSync(fileURLToPath(entry!))).toBe(true);
});
