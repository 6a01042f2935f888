// Writes .oxlintrc.json from the package table below, so that the «never» of each package is stated once.
//
//   node scripts/lint-config.mjs           write the file
//   node scripts/lint-config.mjs --check   fail when the committed file differs
import { readFileSync, writeFileSync } from 'node:fs';

/** What each package may import from the workspace (its own name is never imported from inside). */
const mayImport = {
  platform: [],
  wire: ['platform'],
  raft: ['platform'],
  sim: ['platform'],
  check: [],
  store: ['platform', 'raft', 'wire'],
  client: ['platform', 'wire'],
  server: ['platform', 'raft', 'store', 'wire', 'client'],
};

/** Pure functions that every ring may use; everything else of `node:*` is for ring 2. */
const pureNodeImports = [
  { name: 'node:zlib', allowImportNames: ['crc32'], message: 'Only the pure crc32 outside ring 2.' },
  {
    name: 'node:crypto',
    allowImportNames: ['createHash', 'hash'],
    message: 'Only pure hashes outside ring 2.',
  },
];

const noNodeModules = {
  group: ['node:*', 'node:*/*', '!node:buffer', '!node:zlib', '!node:crypto'],
  message: 'node:* is for folders named node, lmdb or cli: reach the world through Platform.',
};

const noBareNodeModules = {
  regex:
    '^(fs|net|http|http2|tls|os|path|crypto|child_process|worker_threads|timers|stream|events|zlib)(/.*)?$',
  message: 'Write node:* modules with their prefix.',
};

const worldGlobals = [
  'Date',
  'performance',
  'process',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'queueMicrotask',
  'fetch',
  'crypto',
  'WeakRef',
  'FinalizationRegistry',
].map((name) => ({ name, message: 'Reach the world through Platform, so that the simulator controls it.' }));

function packagePattern(name) {
  const forbidden = Object.keys(mayImport).filter((other) => !mayImport[name].includes(other));
  const names = forbidden.map((other) => (other === 'server' ? 'flotilla' : `@flotilla/${other}`));
  return {
    group: names.flatMap((forbiddenName) => [forbiddenName, `${forbiddenName}/**`]),
    message: `The package ${name} may import: ${mayImport[name].join(', ') || 'no other package'}.`,
  };
}

function restrictImports(patterns, paths = []) {
  return { 'eslint/no-restricted-imports': ['error', { paths, patterns }] };
}

const ringTwo = ['node', 'lmdb', 'cli'];
const overrides = [];
for (const name of Object.keys(mayImport)) {
  overrides.push({
    files: [`packages/${name}/src/**/*.ts`],
    rules: {
      ...restrictImports([packagePattern(name), noNodeModules, noBareNodeModules], pureNodeImports),
      'eslint/no-restricted-globals': ['error', ...worldGlobals],
      'eslint/no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Draw from Platform.random.' },
      ],
    },
  });
  overrides.push({
    files: ringTwo.flatMap((folder) => [`packages/${name}/src/${folder}/**/*.ts`]),
    rules: {
      ...restrictImports([packagePattern(name), noBareNodeModules]),
      'eslint/no-restricted-globals': 'off',
      'eslint/no-restricted-properties': 'off',
    },
  });
}
overrides.push(
  {
    // The core decides, it never waits: no promise may appear in ring 0.
    files: ['packages/raft/src/core/**/*.ts', 'packages/store/src/mvcc/**/*.ts'],
    rules: {
      'eslint/no-restricted-globals': [
        'error',
        ...worldGlobals,
        { name: 'Promise', message: 'Ring 0 is synchronous: return effects instead.' },
      ],
    },
  },
  {
    // The simulator stands in for the world: it replaces these very globals to catch programs that escape.
    files: ['packages/sim/src/**/*.ts'],
    rules: {
      ...restrictImports([packagePattern('sim'), noBareNodeModules]),
      'eslint/no-restricted-globals': 'off',
      'eslint/no-restricted-properties': 'off',
    },
  },
  {
    // The `simulate` command alone loads the simulator and the checkers, lazily.
    files: ['packages/server/src/cli/simulate.ts'],
    rules: restrictImports([noBareNodeModules]),
  },
  {
    files: ['**/*.test.ts', 'packages/*/{test,simulation,mutations,bench,scripts}/**/*.ts', 'scripts/**'],
    rules: {
      'eslint/no-restricted-imports': 'off',
      'eslint/no-restricted-globals': 'off',
      'eslint/no-restricted-properties': 'off',
    },
  },
);

const config = {
  $schema: './node_modules/oxlint/configuration_schema.json',
  plugins: ['typescript', 'unicorn', 'oxc', 'import'],
  categories: { correctness: 'error' },
  rules: {
    'eslint/eqeqeq': 'error',
    'eslint/no-var': 'error',
    'eslint/prefer-const': 'error',
    'eslint/no-console': 'error',
    'import/no-cycle': 'error',
    'typescript/await-thenable': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/no-unnecessary-type-assertion': 'error',
    'typescript/switch-exhaustiveness-check': 'error',
  },
  ignorePatterns: ['**/dist/**', 'packages/wire/src/generated/**'],
  overrides: [
    ...overrides,
    {
      files: [
        'packages/*/src/cli/**',
        'packages/*/{test,simulation,mutations,bench,scripts}/**',
        'scripts/**',
        'examples/**',
        '**/*.test.ts',
      ],
      rules: { 'eslint/no-console': 'off', 'typescript/no-non-null-assertion': 'off' },
    },
  ],
};

const file = new URL('../.oxlintrc.json', import.meta.url);
const text = `${JSON.stringify(config, null, 2)}\n`;
if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    console.error('.oxlintrc.json is stale: run node scripts/lint-config.mjs');
    process.exit(1);
  }
} else {
  writeFileSync(file, text);
}
