/** One call of etcdctl. `input` is typed into it; blank lines end the parts of a transaction. */
export interface Step {
  readonly args: readonly string[];
  readonly input?: string;
}

function run(line: string, input?: string): Step {
  const args = line.split(' ').map((part) => (part === "''" ? '' : part));
  return input === undefined ? { args } : { args, input };
}

function transaction(
  compares: readonly string[],
  success: readonly string[],
  failure: readonly string[],
): Step {
  const part = (lines: readonly string[]): string => [...lines, '', ''].join('\n');
  return run('txn', part(compares) + part(success) + part(failure));
}

/** The store is empty at first; every step builds on those before it. */
export const script: readonly Step[] = [
  run('get nothing'),
  run('get nothing -w json'),
  run('put a 1'),
  run('put a 2 --prev-kv'),
  run('put b --ignore-value'),
  run('put a --ignore-value --prev-kv'),
  run('put a 3 --ignore-lease'),
  run('put fresh 3 --ignore-lease'),
  run("put '' x"),
  run("get ''"),
  run("get '' --from-key"),
  run("get '' --prefix --keys-only"),
  run('put a 4 --lease=7b'),
  run('get a'),
  run('get a -w json'),
  run('get a -w fields'),
  run('get a -w protobuf --rev=2'),
  run('get a --hex'),
  run('get a --print-value-only'),

  ...['d/3 x', 'd/1 z', 'd/2 y', 'd/1 zz', 'e e', 'd0 between'].map((pair) => run(`put ${pair}`)),
  run('get d/ --prefix'),
  run('get d/ --prefix --keys-only'),
  run('get d/ --prefix --print-value-only'),
  run('get d/ --prefix --limit=2'),
  run('get d/ --prefix --limit=2 -w json'),
  run('get d/ d0'),
  run('get d/2 --from-key'),
  run('get d/2 --from-key --limit=1 -w json'),
  run('get z a'),
  run('get d/ --prefix --from-key'),
  ...['CREATE', 'KEY', 'MODIFY', 'VALUE', 'VERSION'].flatMap((target) =>
    ['ASCEND', 'DESCEND'].flatMap((order) => [
      run(`get d/ --prefix --sort-by=${target} --order=${order}`),
      run(`get d/ --prefix --sort-by=${target} --order=${order} --limit=2 -w json`),
    ]),
  ),
  run('get d/ --prefix --order=DESCEND'),
  run('get d/ --prefix --sort-by=VALUE'),
  run('get d/ --prefix --sort-by=VALUE --keys-only -w json'),
  run('get d/ --prefix --sort-by=NOTHING'),
  run('get d/ --prefix --order=SIDEWAYS'),
  run('get d/ --prefix --consistency=s'),
  run('get d/ --prefix --consistency=l'),
  run('get d/ --prefix --consistency=x'),
  run('get a --rev=2'),
  run('get a --rev=3 -w json'),
  run('get d/ --prefix --rev=8 -w json'),
  run('get d/1 --rev=9 --consistency=s -w json'),
  run('get a --rev=1'),
  run('get a --rev=1000'),
  run('get a --rev=9223372036854775807'),
  run('get a --rev=-1'),
  run('get a --limit=-1'),
  run('get a --limit=9223372036854775807'),

  run('del nothing'),
  run('del nothing -w json'),
  run('del e --prev-kv'),
  run('del e --prev-kv -w json'),
  run('del d/1 d/3 --prev-kv -w json'),
  run('del d/ --prefix --prev-kv'),
  run('del d0 --from-key'),
  run('del d/ --prefix --from-key'),
  run('put d/1 again'),
  run('get d/1 -w json'),

  transaction(['value("a") = "3"'], ['put a 5', 'get a'], ['get a']),
  transaction(['value("a") = "3"'], ['get a'], ['put a 6', 'put c 7', 'get a', 'del d/1']),
  transaction(['mod("a") > "1"', 'create("a") = "2"', 'version("a") > "1"'], ['get a'], ['get c']),
  transaction(['version("missing") = "0"'], ['put missing here'], ['get missing']),
  transaction(['value("absent") != "x"'], ['get a'], ['get missing']),
  transaction(['create("absent") < "1"'], ['get missing'], ['get a']),
  transaction([], ['put same 1', 'put same 2'], []),
  transaction([], ['put same 1', 'del same'], []),
  transaction([], ['del same', 'put other 1', 'get other'], []),
  transaction([], ['put same 1'], ['put same 2']),
  transaction([], [], []),
  transaction([], ['get same', 'del same', 'get same', 'get a --rev=2'], []),
  run('get --prefix --rev=0 same'),

  run('compaction 5'),
  run('compaction 5'),
  run('compaction 1'),
  run('compaction 0'),
  run('compaction -- -5'),
  run('compaction 99999'),
  run('get a --rev=4'),
  run('get a --rev=5 -w json'),
  run('get d/ --prefix --rev=9 -w json'),
  run('compaction 12 --physical'),
  run('get d/ --prefix --rev=12 -w json'),
  run('put after-compaction 1'),
  run('get after-compaction -w json'),
  run('get a -w json'),
];
