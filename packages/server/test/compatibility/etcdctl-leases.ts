import { spawn } from 'node:child_process';
import { type Answer, etcdctl } from '../support/etcdctl.ts';

/**
 * What etcdctl prints when it uses leases, locks and elections: ids are named in the order in which they were granted,
 * and how much time is left is left out.
 */
export async function leaseSession(endpoint: string): Promise<string[]> {
  const session = new Session(endpoint);
  const lease = await session.grant('100');
  await session.run('put', 'leased/b', '1', `--lease=${lease}`);
  await session.run('put', 'leased/a', '1', `--lease=${lease}`);
  await session.run('get', 'leased/a', '-w', 'fields');
  await session.run('put', 'leased/c', '1', '--lease=7b');
  await session.run('lease', 'timetolive', lease);
  await session.run('lease', 'timetolive', lease, '-w', 'json');
  await session.run('lease', 'timetolive', lease, '-w', 'fields');
  await session.run('lease', 'keep-alive', '--once', lease);
  await session.run('lease', 'keep-alive', '--once', lease, '-w', 'json');
  await session.run('lease', 'list');
  const short = await session.grant('0');
  await session.run('lease', 'revoke', short, '-w', 'json');
  await session.run('lease', 'revoke', short);
  await session.run('lease', 'timetolive', short);
  await session.run('lease', 'timetolive', short, '--keys', '-w', 'json');
  await session.run('lease', 'keep-alive', '--once', short);
  await session.run('lease', 'grant', '9000000001');
  await session.run('del', 'leased/b');
  await session.run('lease', 'timetolive', lease, '--keys');
  await session.run('put', 'leased/a', '2', '--ignore-lease');
  await session.run('lease', 'revoke', lease);
  await session.run('get', 'leased/', '--prefix', '-w', 'json');
  await session.run('lock', 'mutex', 'echo', 'held');
  await session.run('lock', 'mutex', '--ttl=20', 'sh', '-c', 'exit 3');
  await session.run('get', 'mutex', '--prefix', '-w', 'json');
  await session.elect('throne', 'first of its name');
  await session.run('get', 'throne', '--prefix', '-w', 'json');
  await session.run('lease', 'list');
  return session.answers;
}

class Session {
  readonly answers: string[] = [];
  readonly #endpoint: string;
  readonly #ids: string[] = [];

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  async run(...args: readonly string[]): Promise<Answer> {
    const answer = await etcdctl([this.#endpoint], args);
    this.#note(args, `${answer.code} ${answer.stdout}${answer.stderr}`);
    return answer;
  }

  async grant(ttl: string): Promise<string> {
    const answer = await etcdctl([this.#endpoint], ['lease', 'grant', ttl]);
    const id = /^lease ([0-9a-f]{16}) granted/.exec(answer.stdout)?.[1];
    if (id === undefined) throw new Error(`no lease was granted: ${answer.stdout}${answer.stderr}`);
    this.#ids.push(id);
    this.#note(['lease', 'grant', ttl], answer.stdout);
    return id;
  }

  /** Campaigns, sees who leads, and gives up. */
  async elect(name: string, proposal: string): Promise<void> {
    const campaign = start([`--endpoints=${this.#endpoint}`, 'elect', name, proposal]);
    const observer = start([`--endpoints=${this.#endpoint}`, 'elect', '--listen', name]);
    const shown = await Promise.all([campaign.lines(2), observer.lines(2)]);
    const ended = [campaign.end(), observer.end()];
    await Promise.all(ended);
    // The key ends in the id of the session's lease.
    for (const text of shown) this.#note(['elect', name], text.replace(/\/[0-9a-f]+/, '/lease'));
  }

  #note(args: readonly string[], text: string): void {
    let stable = `${args.join(' ')}\n${text}`
      .replace(/"(cluster_id|member_id|raft_term)":\d+/g, '"$1":0')
      .replace(/"(ClusterID|MemberID|RaftTerm)" : \d+/g, '"$1" : 0')
      .replace(/remaining\(\d+s\)/g, 'remaining')
      .replace(/"ttl":\d+/g, '"ttl":some')
      .replace(/^"TTL" : \d+/gm, '"TTL" : some')
      .replace(/"ts":"[^"]*"/g, '"ts":""')
      .replace(/"target":"[^"]*"/g, '"target":""');
    for (const [i, id] of this.#ids.entries()) {
      stable = stable.replaceAll(id, `lease ${i}`).replaceAll(String(BigInt(`0x${id}`)), `lease ${i}`);
    }
    // Sessions of locks and elections have leases of their own.
    this.answers.push(stable.replace(/\b[0-9a-f]{16}\b/g, 'id'));
  }
}

interface Running {
  /** The first lines of what it prints. */
  lines(count: number): Promise<string>;
  /** Interrupts it, as a user does. */
  end(): Promise<void>;
}

function start(args: readonly string[]): Running {
  const child = spawn('etcdctl', args, { env: { PATH: process.env['PATH'], ETCDCTL_API: '3' } });
  let text = '';
  let changed: () => void = () => undefined;
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    changed();
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    lines: (count) =>
      new Promise((resolve, reject) => {
        changed = () => {
          const lines = text.split('\n');
          if (lines.length > count) resolve(lines.slice(0, count).join('\n'));
        };
        void closed.then(() => reject(new Error(`etcdctl ended early:\n${text}`)));
        changed();
      }),
    end: () => {
      child.kill('SIGINT');
      return closed;
    },
  };
}
