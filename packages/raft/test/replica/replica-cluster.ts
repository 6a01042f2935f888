import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '@flotilla/platform';
import { Replica } from '../../src/node/index.ts';
import type { NodeReplicaOptions } from '../../src/node/index.ts';
import type { ReplicaStateMachine } from '../../src/replica/index.ts';
import { freePort } from '../host-cluster.ts';

/** Sums what it is told to add, and remembers every number. */
export class Sum implements ReplicaStateMachine<number> {
  total = 0;
  numbers: number[] = [];
  restored = 0;

  apply(command: Uint8Array): number {
    const number = Number(new TextDecoder().decode(command));
    this.numbers.push(number);
    this.total += number;
    return this.total;
  }

  *snapshot(): Generator<Uint8Array> {
    for (const number of this.numbers) yield new TextEncoder().encode(`${number}\n`);
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    this.restored += 1;
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
    this.numbers = text.split('\n').filter(Boolean).map(Number);
    this.total = this.numbers.reduce((sum, number) => sum + number, 0);
  }
}

export function add(number: number): Uint8Array {
  return new TextEncoder().encode(String(number));
}

export type SumReplica = Replica<Sum>;

/** Replicas on loopback sockets and temporary directories. */
export class ReplicaCluster {
  readonly root = mkdtempSync(join(tmpdir(), 'flotilla-replica-'));
  readonly addresses = new Map<number, string>();
  readonly machines = new Map<number, Sum>();
  readonly replicas = new Map<number, SumReplica>();
  readonly lines: { readonly level: string; readonly message: string; readonly fields: unknown }[] = [];

  async address(id: number): Promise<string> {
    const known = this.addresses.get(id);
    if (known !== undefined) return known;
    const address = `127.0.0.1:${await freePort()}`;
    this.addresses.set(id, address);
    return address;
  }

  /** All of them are the first members. */
  async start(...ids: readonly number[]): Promise<void> {
    for (const id of ids) await this.address(id);
    const peers = Object.fromEntries(ids.map((id) => [id, this.addresses.get(id) as string]));
    await Promise.all(ids.map((id) => this.open(id, { peers })));
  }

  async join(id: number): Promise<SumReplica> {
    await this.address(id);
    return this.open(id, { join: true });
  }

  async open(id: number, options: Partial<NodeReplicaOptions<Sum>> = {}): Promise<SumReplica> {
    const machine = new Sum();
    this.machines.set(id, machine);
    const replica = await Replica.open({
      id,
      dataDir: this.directory(id),
      peers: this.addresses,
      stateMachine: machine,
      config: { heartbeatMs: 40, electionMs: 400 },
      logger: this.#logger,
      ...options,
    });
    this.replicas.set(id, replica);
    return replica;
  }

  directory(id: number): string {
    return join(this.root, `n${id}`);
  }

  replica(id: number): SumReplica {
    const replica = this.replicas.get(id);
    if (replica === undefined) throw new Error(`member ${id} does not run`);
    return replica;
  }

  async close(id: number): Promise<void> {
    await this.replica(id).close();
    this.replicas.delete(id);
  }

  async leader(): Promise<SumReplica> {
    for (const end = Date.now() + 20_000; Date.now() < end;) {
      const found = [...this.replicas.values()].find((replica) => replica.status().role === 'leader');
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error('waited in vain for a leader');
  }

  async stop(): Promise<void> {
    await Promise.all([...this.replicas.values()].map((replica) => replica.close()));
    rmSync(this.root, { recursive: true, force: true });
  }

  readonly #logger: Logger = {
    debug: (message, fields) => this.lines.push({ level: 'debug', message, fields }),
    info: (message, fields) => this.lines.push({ level: 'info', message, fields }),
    warn: (message, fields) => this.lines.push({ level: 'warn', message, fields }),
    error: (message, fields) => this.lines.push({ level: 'error', message, fields }),
  };
}
