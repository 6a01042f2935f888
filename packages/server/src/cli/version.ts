import { readFileSync } from 'node:fs';
import { API_VERSION } from '../member/version.ts';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

export const productVersion: string = manifest.version;

/** In the shape of etcd's `--version`, which scripts parse by its `Version:` lines. */
export function versionText(): string {
  return [
    `flotilla Version: ${productVersion}`,
    `etcd API Version: ${API_VERSION}`,
    `Node.js Version: ${process.version.slice(1)}`,
  ].join('\n');
}
