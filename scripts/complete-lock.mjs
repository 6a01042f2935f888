// Completes package-lock.json with the optional packages of other systems.
//
// Some registries do not serve every platform's build of a package (oxlint, tsgolint, lmdb). `npm install` then
// leaves those optional packages out of the lock file, and `npm ci` refuses the file as incomplete. This script adds
// the missing entries (version, os, cpu, `optional: true`), so that `npm ci` passes wherever it runs.
//
// Run it through `npm run lock`, which refreshes the lock file first.
import { readFileSync, writeFileSync } from 'node:fs';

const lockFile = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(lockFile, 'utf8'));

const osNames = [
  'android',
  'darwin',
  'freebsd',
  'linux',
  'openharmony',
  'win32',
  'aix',
  'netbsd',
  'openbsd',
  'sunos',
];
const cpuNames = ['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x', 'loong64', 'mips64el'];

/** The platform that a package is for, read from its name: `@oxlint/binding-linux-arm64-musl` → linux, arm64, musl. */
function platformOf(name) {
  const parts = name.split('/').at(-1).split('-');
  const os = osNames.find((candidate) => parts.includes(candidate));
  const cpu = cpuNames.find((candidate) =>
    parts.some((part) => part === candidate || (candidate === 'arm' && part.startsWith('arm'))),
  );
  const libc =
    parts.includes('musl') || parts.includes('musleabihf')
      ? 'musl'
      : parts.includes('gnu') || parts.includes('gnueabihf')
        ? 'glibc'
        : null;
  return { os, cpu, libc };
}

let added = 0;
for (const [location, entry] of Object.entries({ ...lock.packages })) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const nested = `${location}/node_modules/${name}`;
    const hoisted = `node_modules/${name}`;
    if (lock.packages[nested] || lock.packages[hoisted]) continue;
    const { os, cpu, libc } = platformOf(name);
    lock.packages[hoisted] = {
      version: range.replace(/^[^0-9]*/, ''),
      ...(cpu ? { cpu: [cpu] } : {}),
      ...(entry.dev ? { dev: true } : {}),
      ...(libc ? { libc: [libc] } : {}),
      optional: true,
      ...(os ? { os: [os] } : {}),
    };
    added += 1;
  }
}

const { '': root, ...others } = lock.packages;
lock.packages = {
  '': root,
  ...Object.fromEntries(Object.entries(others).sort(([a], [b]) => (a < b ? -1 : 1))),
};
writeFileSync(lockFile, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`complete-lock: ${added} optional packages of other systems added`);
