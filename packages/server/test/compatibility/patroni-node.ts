import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../support/ports.ts';
import { topology } from '../support/sharded/topology.ts';

const run = promisify(execFile);

/** Debian's Patroni 3.0 accepts less than the 20 s that later ones insist on. `loop_wait + 2 * retry_timeout <= ttl`. */
const patroniSeconds =
  topology === null
    ? { ttl: 10, loop_wait: 1, retry_timeout: 3 }
    : // Its own, with which it gives five members on one machine the time that they need.
      { ttl: 30, loop_wait: 2, retry_timeout: 10 };

/** What Patroni's REST API says of one member of its cluster. */
export interface PatroniMember {
  readonly name: string;
  readonly role: 'leader' | 'replica' | 'sync_standby';
  readonly state: string;
}

/** One Patroni with the PostgreSQL that it runs, in a directory and on ports of its own. */
export class PatroniNode {
  readonly name: string;
  readonly #directory: string;
  readonly #postgresPort: number;
  readonly #restPort: number;
  readonly #log: string[] = [];
  #patroni: ChildProcess | null = null;

  private constructor(name: string, postgresPort: number, restPort: number) {
    this.name = name;
    this.#directory = mkdtempSync(join(tmpdir(), 'flotilla-patroni-'));
    this.#postgresPort = postgresPort;
    this.#restPort = restPort;
  }

  static async create(name: string, endpoints: readonly string[]): Promise<PatroniNode> {
    const port = await freePorts(2);
    const node = new PatroniNode(name, port, port + 1);
    writeFileSync(node.#configurationFile, JSON.stringify(node.#configuration(endpoints)));
    const { uid, gid } = databaseUser;
    if (uid !== null && gid !== null) {
      chownSync(node.#directory, uid, gid);
      chownSync(node.#configurationFile, uid, gid);
    }
    return node;
  }

  start(): void {
    const { uid, gid } = databaseUser;
    this.#patroni = spawn('patroni', [this.#configurationFile], {
      cwd: this.#directory,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: this.#directory },
      ...(uid === null || gid === null ? {} : { uid, gid }),
    });
    this.#patroni.stderr?.on('data', (chunk: Buffer) => this.#log.push(chunk.toString()));
  }

  /** The members of its cluster as this node sees them; none while it does not answer. */
  async members(): Promise<readonly PatroniMember[]> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.#restPort}/cluster`);
      const { members } = (await answer.json()) as { readonly members?: readonly PatroniMember[] };
      return members ?? [];
    } catch {
      return [];
    }
  }

  /** Whether its PostgreSQL takes writes, by the answer that load balancers go by. */
  async isPrimary(): Promise<boolean> {
    try {
      return (await fetch(`http://127.0.0.1:${this.#restPort}/primary`)).status === 200;
    } catch {
      return false;
    }
  }

  /** Asks Patroni for a planned change of leader. */
  async switchOver(leader: string, candidate: string): Promise<number> {
    const body = JSON.stringify({ leader, candidate });
    const answer = await fetch(`http://127.0.0.1:${this.#restPort}/switchover`, { method: 'POST', body });
    await answer.text();
    return answer.status;
  }

  /** Runs SQL and returns the unadorned rows. */
  async query(sql: string): Promise<string> {
    const connection = `host=127.0.0.1 port=${this.#postgresPort} user=postgres dbname=postgres`;
    const { stdout } = await run(join(binaries(), 'psql'), ['-XAtq', '-c', sql, connection], {
      env: { PATH: process.env['PATH'] },
    });
    return stdout.trim();
  }

  /** SIGKILL to Patroni and to PostgreSQL, whose other processes end when they see it gone. */
  async kill(): Promise<void> {
    const patroni = this.#patroni;
    this.#patroni = null;
    if (patroni !== null && patroni.exitCode === null && patroni.signalCode === null) {
      const closed = new Promise((resolve) => patroni.once('exit', resolve));
      patroni.kill('SIGKILL');
      await closed;
    }
    const postmaster = this.#postmaster();
    if (postmaster !== null) process.kill(postmaster, 'SIGKILL');
  }

  async remove(): Promise<void> {
    await this.kill();
    // PostgreSQL's last processes may be about to write a file.
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  /** What Patroni said last, for reports of failures. */
  log(): string {
    return `${this.name}:\n${this.#log.join('').split('\n').slice(-40).join('\n')}`;
  }

  /** PostgreSQL's first process. The file with its id outlives it: only a process in this data directory is the one. */
  #postmaster(): number | null {
    const file = join(this.#data, 'postmaster.pid');
    if (!existsSync(file)) return null;
    const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === this.#data ? pid : null;
    } catch {
      return null;
    }
  }

  get #data(): string {
    return join(this.#directory, 'data');
  }

  get #configurationFile(): string {
    return join(this.#directory, 'patroni.yml');
  }

  /** Written as JSON, which is YAML. */
  #configuration(endpoints: readonly string[]) {
    return {
      scope: 'flotilla',
      name: this.name,
      etcd3: { hosts: endpoints.map((endpoint) => new URL(endpoint).host), protocol: 'http' },
      restapi: {
        listen: `127.0.0.1:${this.#restPort}`,
        connect_address: `127.0.0.1:${this.#restPort}`,
      },
      bootstrap: {
        dcs: {
          ...patroniSeconds,
          // A write that was answered is on both, so that none may be missing after a failover.
          synchronous_mode: true,
          postgresql: { use_pg_rewind: true },
        },
        initdb: [{ encoding: 'UTF8' }, { auth: 'trust' }, 'no-sync', 'data-checksums'],
        pg_hba: ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust'],
      },
      postgresql: {
        listen: `127.0.0.1:${this.#postgresPort}`,
        connect_address: `127.0.0.1:${this.#postgresPort}`,
        data_dir: this.#data,
        bin_dir: binaries(),
        pgpass: join(this.#directory, 'pgpass'),
        basebackup: [{ checkpoint: 'fast' }, 'no-sync'],
        authentication: {
          superuser: { username: 'postgres', password: 'unused' },
          replication: { username: 'replicator', password: 'unused' },
          rewind: { username: 'rewinder', password: 'unused' },
        },
        parameters: {
          unix_socket_directories: this.#directory,
          shared_buffers: '16MB',
          // The processes are killed, the machine is not: its disk need not be waited for.
          fsync: 'off',
          // What the leader has answered can be read from the synchronous standby.
          synchronous_commit: 'remote_apply',
        },
      },
    };
  }
}

/** PostgreSQL refuses to run as root; Debian's package has made a user for it. */
const databaseUser = process.getuid?.() === 0 ? systemUser('postgres') : { uid: null, gid: null };

function systemUser(name: string): { readonly uid: number | null; readonly gid: number | null } {
  try {
    const id = (which: string): number => Number(execFileSync('id', [which, name], { stdio: 'pipe' }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return { uid: null, gid: null };
  }
}

/** Where Debian puts PostgreSQL's programs: one folder a version, none of them in the path. */
function binaries(): string {
  const parent = '/usr/lib/postgresql';
  const versions = existsSync(parent)
    ? readdirSync(parent)
        .map(Number)
        .sort((a, b) => b - a)
    : [];
  const found = versions
    .map((version) => join(parent, String(version), 'bin'))
    .find((folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'psql')));
  if (found === undefined) throw new Error(`no PostgreSQL in ${parent}`);
  return found;
}
