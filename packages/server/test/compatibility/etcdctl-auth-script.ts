import type { Step } from './etcdctl-script.ts';

/** A call of etcdctl, and what a newer etcd answers where 3.4 answers something else. */
export interface AuthStep extends Step {
  readonly newer?: string;
}

function run(line: string, input?: string): Step {
  const args = line.split(' ').map((part) => (part === "''" ? '' : part));
  return input === undefined ? { args } : { args, input };
}

function newer(line: string, answer: string): AuthStep {
  return { ...run(line), newer: answer };
}

/** The same, asked by each of these users. */
function by(users: readonly string[], ...lines: readonly string[]): Step[] {
  return lines.flatMap((line) => users.map((user) => run(`${line} --user=${user}`)));
}

const root = 'root:secret';
const reader = 'reader:r';
const writer = 'writer:w';
const everybody = [root, reader, writer];
const users = [reader, writer];

/** There are no users at first; every step builds on those before it. */
export const authScript: readonly AuthStep[] = [
  run('auth disable'),
  run('auth enable'),
  run('user list'),
  run('role list'),
  run('user get nobody'),
  run('role get nothing'),
  run('user delete nobody'),
  run('role delete nothing'),
  run('put a 1 --user=root:secret'),
  run('user add root --new-user-password=secret'),
  run('user add root:again'),
  run('user add reader:r'),
  run('user add writer --interactive=false', 'w\n'),
  run('user add unnamed --no-password'),
  run('user add :x'),
  run('user get root -w json'),
  run('user list'),
  run('user list -w json'),
  run('auth enable'),
  run('role add reads'),
  run('role add reads'),
  run('role add writes'),
  run("role add ''"),
  run('user grant-role root root'),
  run('user grant-role nobody root'),
  run('user grant-role reader reads'),
  run('user grant-role reader reads'),
  run('user grant-role reader missing'),
  run('user grant-role writer writes'),
  run('user revoke-role reader writes'),
  run('user revoke-role nobody writes'),
  run('role grant-permission reads read r/ --prefix=true'),
  run('role grant-permission reads read point'),
  run('role grant-permission reads read m p'),
  run('role grant-permission reads readwrite m p'),
  run('role grant-permission reads read x --from-key=true'),
  run('role grant-permission writes write w/ w0'),
  run('role grant-permission writes readwrite both'),
  run('role grant-permission missing read a'),
  run('role grant-permission reads sideways a'),
  run('role revoke-permission reads nothing'),
  run('role revoke-permission missing nothing'),
  run('role get reads'),
  run('role get reads -w json'),
  run('role get writes -w json'),
  run('role get writes -w fields'),
  run('role list'),
  run('user get reader'),
  run('user get reader --detail'),
  run('put r/1 one'),
  run('put w/1 one'),
  run('put point one'),
  run('put secret one'),
  run('auth enable'),
  run('auth enable'),

  run('put a 1'),
  run('get a'),
  run('get a --consistency=s'),
  run('del a'),
  run('user list'),
  run('put a 1 --user=root:wrong'),
  run('put a 1 --user=nobody:x'),
  run('put a 1 --user=unnamed:x'),
  run('get r/1 --user=reader --password=r'),
  ...by(
    everybody,
    'get r/1',
    'get r/ --prefix',
    'get r/ --prefix --consistency=s',
    'get r q',
    'get point',
    'get point --from-key',
    'get m p',
    'get x --from-key',
    'get y z',
    'get secret',
  ),
  ...by(
    users,
    'put r/1 two',
    'put w/1 two',
    'put w/1 two --prev-kv',
    'put both 1 --prev-kv',
    'put both 2 --ignore-lease',
    'put secret 2',
    'del w/1',
    'del w/1 --prev-kv',
    'del w/ w0',
    'del w/ w1',
    'del w/ --prefix --prev-kv',
    'del both --prev-kv',
    'del secret',
    'alarm list',
    'user list',
    'user get reader',
    'user get root',
    'role list',
    'role get reads',
    'user add another:x',
    'user delete another',
    'role add more',
    'role delete more',
    'role grant-permission reads read all',
    'role revoke-permission reads all',
  ),
  run('txn --user=reader:r', 'value("r/1") = "two"\n\nget r/1\n\nget point\n\n'),
  run('txn --user=reader:r', 'value("w/1") = "two"\n\nget r/1\n\nget point\n\n'),
  run('txn --user=reader:r', 'value("r/1") = "two"\n\nput r/1 x\n\nget point\n\n'),
  run('txn --user=writer:w', '\nput w/2 x\nput both y\n\nget both\n\n'),
  run('txn --user=writer:w', '\nput w/2 x\n\nput r/1 x\n\n'),
  run('txn --user=writer:w', '\nget w/2\n\n\n'),
  run('txn --user=root:secret', 'value("w/2") = "x"\n\nget w/2\ndel secret\n\n\n'),
  run('lease grant 100 --user=nobody:x'),
  newer('lease revoke 7b', 'etcdserver: user name is empty'),
  run('lease timetolive 7b --user=reader:r'),
  newer('member list', 'etcdserver: user name is empty'),
  ...users.flatMap((user) => [
    newer(`compaction 2 --user=${user}`, 'etcdserver: permission denied'),
    newer(`defrag --user=${user}`, 'etcdserver: permission denied'),
    run(`role get root --user=${user}`),
  ]),
  newer(`role get root --user=${root}`, 'KV Write:\n\t[, <open ended>'),

  run('user passwd root --interactive=false --user=root:secret', 'changed\n'),
  run('user list --user=root:secret'),
  run('user list --user=root:changed'),
  run('user passwd reader --interactive=false --user=reader:r', 'x\n'),
  run('user delete root --user=root:changed'),
  run('role delete root --user=root:changed'),
  run('user revoke-role root root --user=root:changed'),
  run('user revoke-role reader reads --user=root:changed'),
  run('get r/1 --user=reader:r'),
  run('user get reader --user=reader:r'),
  run('role delete writes --user=root:changed'),
  run('user get writer --user=root:changed'),
  run('put w/1 x --user=writer:w'),
  run('user delete writer --user=root:changed'),
  run('put w/1 x --user=writer:w'),
  run('role revoke-permission reads m p --user=root:changed'),
  run('role revoke-permission reads r/ --prefix=true --user=root:changed'),
  run('role get reads -w json --user=root:changed'),
  run('auth disable'),
  run('auth disable --user=reader:r'),
  run('auth disable --user=root:changed'),
  run('auth disable'),
  run('put a 1'),
  run('user delete root'),
  run('auth enable'),
];
