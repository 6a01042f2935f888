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

/** What `etcd --version` prints, line by line: test suites of others look for the first, and scripts for all four. */
export function etcdVersionText(): string {
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  return [
    `etcd Version: ${API_VERSION}`,
    `Git SHA: flotilla-${productVersion}`,
    `Go Version: none, Node.js ${process.version}`,
    `Go OS/Arch: ${process.platform}/${architecture}`,
  ].join('\n');
}
