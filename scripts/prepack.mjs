// Prepares a package for publishing: compiles `src` to `dist` and points `exports` there.
// In a checkout the exports name `src`, so that everything runs without a build step.
//
// Run by npm in the package's folder before `npm pack` and `npm publish`, when told so: the `.npmrc` of this repository
// turns scripts off, and what is packed without this one cannot be imported. `git checkout package.json` undoes it.
//
//   npm pack --ignore-scripts=false -w @flotilla/platform -w @flotilla/raft
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

execFileSync('npx', ['tsc', '-b', 'tsconfig.build.json'], { stdio: 'inherit' });

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
for (const [name, target] of Object.entries(manifest.exports)) {
  // Simulations and tests are part of a checkout, not of a published package.
  if (!target.startsWith('./src/')) {
    delete manifest.exports[name];
    continue;
  }
  const compiled = target.replace('./src/', './dist/').replace(/\.ts$/, '');
  manifest.exports[name] = { types: `${compiled}.d.ts`, default: `${compiled}.js` };
}
writeFileSync('package.json', `${JSON.stringify(manifest, null, 2)}\n`);
