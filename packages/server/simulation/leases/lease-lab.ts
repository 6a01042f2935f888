import type { Platform } from '@flotilla/platform';
import { fromEventLoop, replayedTape, type SimNode, World } from '@flotilla/sim';
import {
  callUnary,
  KV,
  Lease,
  type MethodDescriptor,
  openFramedChannel,
  PutRequest,
  RangeRequest,
  type RpcChannel,
} from '@flotilla/wire';
import { leaderIndex } from '../cluster/leader-index.ts';
import { bytesOf } from '../cluster/etcd-messages.ts';
import { clientPort, MemberNode } from '../cluster/member-node.ts';
import { WrittenHistory } from '../cluster/written-history.ts';
import { keepAlive } from './lease-client.ts';

/** Members without faults but those that a test makes, and one client, in the world's time. */
export class LeaseLab {
  readonly world = new World({ tape: replayedTape([]) });
  readonly nodes: readonly SimNode[];
  readonly #members: readonly MemberNode[];
  readonly #written: WrittenHistory;
  readonly #client: { platform: Platform | null; channels: readonly RpcChannel[] } = {
    platform: null,
    channels: [],
  };

  private constructor(members: number, electionMs: number) {
    const settings = {
      electionMs,
      heartbeatMs: electionMs / 5,
      snapshotCount: 10_000,
      host: {},
      commitDelayMs: 0,
      flushDelayMs: 0,
    };
    const written = new WrittenHistory(this.world);
    this.#written = written;
    const names = Array.from({ length: members }, (_, i) => `n${i + 1}`);
    this.#members = names.map(
      (name) => new MemberNode(this.world, settings, name, names, written, () => undefined),
    );
    this.nodes = this.#members.map((member) =>
      this.world.addNode(member.name, (platform) => member.main(platform)),
    );
    this.world.addNode('client', (platform) => {
      this.#client.platform = platform;
      this.#client.channels = names.map((host) =>
        openFramedChannel(platform, { endpoints: [{ host, port: clientPort }] }),
      );
    });
  }

  /** Runs a test where simulations can run. */
  static run(
    options: { readonly members?: number; readonly electionMs?: number },
    test: (lab: LeaseLab) => void,
  ): Promise<void> {
    return fromEventLoop(() => {
      const lab = new LeaseLab(options.members ?? 3, options.electionMs ?? 1_000);
      try {
        for (const node of lab.world.nodes.values()) node.start();
        lab.until(10_000, () => lab.leader >= 0);
        // Until every member has said what it understands, there are no leases.
        lab.pass(1_000);
        test(lab);
        lab.#written.judgeWatches();
        if (lab.world.violation !== null) throw new Error(lab.world.violation.message);
      } finally {
        lab.world.end();
      }
    });
  }

  /** −1: none. */
  get leader(): number {
    return leaderIndex(this.nodes, this.#members);
  }

  /** Any member but the leader. */
  get follower(): number {
    return (this.leader + 1) % this.nodes.length;
  }

  pass(ms: number): void {
    this.world.run(ms);
  }

  until(withinMs: number, holds: () => boolean): void {
    this.world.run(withinMs, holds);
    if (!holds()) throw new Error(this.world.violation?.message ?? 'it did not happen in time');
  }

  grant(id: bigint, ttl: number): void {
    this.#call(Lease.methods.LeaseGrant, { id, ttl });
    const key = bytesOf(`L/${id}`);
    this.#call(KV.methods.Put, PutRequest.create({ key, value: key, lease: id }));
  }

  /** Renews every `everyMs` through a member of `through`'s choice, whatever becomes of it. The answer ends it. */
  keep(id: bigint, everyMs: number, through: () => number): () => void {
    let going = true;
    const platform = this.#client.platform as Platform;
    const loop = async (): Promise<void> => {
      while (going) {
        await keepAlive(platform, this.#client.channels[through()] as RpcChannel, id);
        await new Promise<void>((resolve) => platform.timer(everyMs, 'keep', resolve));
      }
    };
    platform.spawn('keep', loop);
    return () => {
      going = false;
    };
  }

  /** Whether the key of the lease is there, as the present leader has it. */
  isAlive(id: bigint): boolean {
    const { member } = this.#members[this.leader] as MemberNode;
    const { count } = (member as NonNullable<typeof member>).database.range(
      RangeRequest.create({ key: bytesOf(`L/${id}`) }),
    );
    return count === 1;
  }

  /** How many seconds are left, as that member answers. */
  timeToLive(member: number, id: bigint): number {
    return this.#call(Lease.methods.LeaseTimeToLive, { id, keys: false }, member).ttl;
  }

  #call<Request, Response>(
    method: MethodDescriptor<Request, Response, 'unary'>,
    request: Request,
    member = this.leader,
  ): Response {
    const answers: Response[] = [];
    const platform = this.#client.platform as Platform;
    platform.spawn('call', async () => {
      answers.push(await callUnary(this.#client.channels[member] as RpcChannel, method, request));
    });
    this.until(5_000, () => answers.length > 0);
    return answers[0] as Response;
  }
}
