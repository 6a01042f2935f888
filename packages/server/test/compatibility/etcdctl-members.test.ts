import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ChangingCluster } from '../process/changing-cluster.ts';
import { Etcd } from '../support/etcd.ts';
import { type Answer, etcdctl } from '../support/etcdctl.ts';
import { requireProgram } from '../support/programs.ts';

const withEtcdctl = requireProgram('etcdctl', 'etcdctl member');
const withEtcd = withEtcdctl && requireProgram('etcd', 'answers compared with a real etcd');

/** etcd makes an id of the URLs and the second: whoever adds the same URLs within one second is told of the id instead. */
const nextSecond = 'wait a second';
const secondMs = 1_000;

/** `{own}`: the id of the only voter; `{added}`: of the member that was added last. */
const script: readonly string[] = [
  'member list',
  'member list -w json',
  'member add',
  'member add n2',
  'member add n2 --peer-urls=nonsense',
  'member add n2 --peer-urls=http://127.0.0.1:7/path',
  'member add n2 --learner --peer-urls=http://127.0.0.1:7',
  'member list',
  'member list -w json',
  'member list -w table',
  'member add n3 --learner --peer-urls=http://127.0.0.1:8',
  nextSecond,
  'member add n3 --peer-urls=http://127.0.0.1:7',
  'member promote {added}',
  'member promote {own}',
  'member promote 1',
  // Of a voter: etcd takes a learner for a voter when its URLs are updated, until it is started anew.
  'member update {own} --peer-urls=http://127.0.0.1:9,http://127.0.0.1:10',
  'member update {own} --peer-urls=http://127.0.0.1:7',
  'member update 1 --peer-urls=http://127.0.0.1:9',
  'member list',
  'move-leader {added}',
  'move-leader 1',
  'member remove 1',
  'member remove {added}',
  'member remove {added}',
  'member promote {added}',
  'member update {added} --peer-urls=http://127.0.0.1:9',
  'member remove {own}',
  'member list',
  'put still there',
];

describe.skipIf(!withEtcd)('etcdctl member', () => {
  let etcd: Etcd;
  let cluster: ChangingCluster;

  beforeAll(async () => {
    cluster = await ChangingCluster.create(1);
    [etcd] = await Promise.all([
      Etcd.start(),
      cluster.start(cluster.place(1), '--strict-reconfig-check=true'),
    ]);
  }, 120_000);

  afterAll(async () => {
    await etcd.remove();
    await cluster.close();
  });

  test('is answered as by a real etcd', async () => {
    const expected = new Conversation(etcd.endpoint);
    const actual = new Conversation(cluster.place(1).endpoint);
    for (const line of script) {
      if (line === nextSecond) await new Promise((resolve) => setTimeout(resolve, secondMs));
      else expect(await actual.say(line), line).toEqual(await expected.say(line));
    }
  }, 120_000);
});

/** With ids, ports and names that differ told by what they stand for. */
class Conversation {
  readonly #endpoint: string;
  readonly #ids: string[] = [];
  #cluster = '';
  #added = '';

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  async say(line: string): Promise<Answer> {
    const args = line.replace('{own}', this.#ids[0] ?? '').replace('{added}', this.#added);
    const answer = await etcdctl([this.#endpoint], args.split(' '));
    const list = /^ *([0-9a-f]+), started, /.exec(answer.stdout)?.[1];
    if (list !== undefined && this.#ids.length === 0) this.#ids.push(list);
    const [, added, cluster] = /^Member +([0-9a-f]+) added to cluster +([0-9a-f]+)/.exec(answer.stdout) ?? [];
    if (added !== undefined) this.#added = added;
    if (cluster !== undefined) this.#cluster = cluster;
    return { code: answer.code, stdout: this.#plain(answer.stdout), stderr: this.#error(answer.stderr) };
  }

  /** etcdctl 3.4 logs its retries, with times and addresses, before the error. */
  #error(text: string): string {
    const lines = text.split('\n').filter((line) => !line.startsWith('{'));
    return this.#plain(lines.join('\n'));
  }

  #plain(text: string): string {
    const port = Number(new URL(this.#endpoint).port);
    let plain = text
      .replaceAll(this.#cluster === '' ? '\0' : this.#cluster, 'CLUSTER')
      .replaceAll(`127.0.0.1:${port + 1}`, 'PEER')
      .replaceAll(`127.0.0.1:${port}`, 'CLIENT')
      .replaceAll(/"(cluster_id|member_id|ID|raft_term)":\d+/g, '"$1":0')
      .replaceAll('default', 'n1');
    for (const [name, id] of [
      ['OWN', this.#ids[0]],
      ['ADDED', this.#added],
    ] as const) {
      if (id !== undefined && id !== '') plain = plain.replaceAll(id, name);
    }
    // Tables are as wide as what is in them, and lists in the order of ids that depend on ports and time.
    plain = plain
      .replace(/(ETCD_INITIAL_CLUSTER=")([^"]*)/, (_, name: string, list: string) => name + sorted(list, ','))
      .replace(/("members":\[\{)(.*)(\}\])/, (_, begin: string, list: string, end: string) =>
        [begin, sorted(list, '},{'), end].join(''),
      );
    return plain.replaceAll(/[ -]+/g, ' ').split('\n').sort().join('\n');
  }
}

function sorted(list: string, separator: string): string {
  return list.split(separator).sort().join(separator);
}
