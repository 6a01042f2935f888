import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, seededRandom } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { openLmdb } from '@flotilla/store/lmdb';
import type { RpcChannel } from '@flotilla/wire';
import { listenHttp2, openHttp2Channel } from '@flotilla/wire/node';
import { httpListener } from '../../src/cli/http-adapter.ts';
import { configure } from '../../src/configuration/configuration.ts';
import { Member } from '../../src/member/member.ts';
import { nodeAuth } from '../../src/node/auth/auth-adapters.ts';
import { freePorts } from './ports.ts';
import { PatientChannel } from './patient-channel.ts';
import { caughtUp } from './sharded/caught-up.ts';
import { ChurningShards, type ChurnReport } from './sharded/churning-shards.ts';
import { SpreadChannel } from './sharded/spread-channel.ts';
import { patientElections, type Topology, topology as topologyOfTests } from './sharded/topology.ts';

const LEADER_AGAIN_MS = 20;

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Members of one cluster in this process, on Node's platform, LMDB and loopback. */
export class InProcessCluster {
  readonly directory: string;
  readonly endpoints: readonly string[];
  readonly members: (Member | null)[];
  /** What made a member stop by itself. */
  readonly failures: Error[] = [];
  /** What came about in a sharded one while it was there; null before it was removed. */
  churn: ChurnReport | null = null;
  readonly #basePort: number;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #channels: (RpcChannel | null)[];
  #shards: ChurningShards | null = null;

  private constructor(nodes: number, basePort: number, settings: Readonly<Record<string, string>>) {
    this.directory = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
    this.#basePort = basePort;
    this.#settings = settings;
    this.endpoints = Array.from({ length: nodes }, (_, i) => `http://127.0.0.1:${basePort + 2 * i}`);
    this.members = this.endpoints.map(() => null);
    this.#channels = this.endpoints.map(() => null);
  }

  /** `settings` are those of every member, by etcd's names. A topology makes the cluster at least as large as it says. */
  static async start(
    nodes: number,
    settings: Readonly<Record<string, string>> = {},
    topology: Topology | null = topologyOfTests,
  ): Promise<InProcessCluster> {
    const members = Math.max(nodes, topology?.nodes ?? 0);
    const patience = topology?.isPatient === true ? patientElections : {};
    const cluster = new InProcessCluster(members, await freePorts(2 * members), { ...patience, ...settings });
    await Promise.all(cluster.endpoints.map((_, i) => cluster.startMember(i)));
    await Promise.all(cluster.running.map((member) => member.whenReady()));
    if (topology !== null) await cluster.#shard(topology);
    return cluster;
  }

  get running(): Member[] {
    return this.members.filter((member) => member !== null);
  }

  /** `more`: settings of this start alone. */
  async startMember(
    i: number,
    dataDirectory = `n${i + 1}`,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Member> {
    const name = `n${i + 1}`;
    const configuration = configure(
      new Map(
        Object.entries({
          name,
          'data-dir': join(this.directory, dataDirectory),
          'listen-client-urls': this.endpoints[i] as string,
          'advertise-client-urls': this.endpoints[i] as string,
          'listen-peer-urls': this.#peerUrl(i),
          'initial-advertise-peer-urls': this.#peerUrl(i),
          'initial-cluster': this.endpoints.map((_, j) => `n${j + 1}=${this.#peerUrl(j)}`).join(','),
          ...this.#settings,
          ...more,
        }),
      ),
    );
    const onFatal = (error: Error): void => {
      this.failures.push(error);
    };
    const member = await Member.start({
      platform: nodePlatform({ nodeName: name, logger: silent, onFatal }),
      configuration,
      onFatal,
      auth: await nodeAuth(configuration),
      openStorage: (directory, tables) => Promise.resolve(openLmdb(directory, tables)),
      listen: ({ http, ...options }) => listenHttp2({ ...options, http: httpListener(http) }),
    });
    this.members[i] = member;
    return member;
  }

  async stopMember(i: number): Promise<void> {
    await this.members[i]?.stop();
    this.members[i] = null;
  }

  /** To one member only; a call that meets no leader waits for one. */
  channel(i: number): RpcChannel {
    const open =
      this.#channels[i] ?? new PatientChannel(openHttp2Channel({ endpoints: [this.endpoints[i] as string] }));
    this.#channels[i] = open;
    return open;
  }

  /** To another member with each call. All must be running. */
  spread(seed: number): RpcChannel {
    const nodes = this.endpoints.map((_, i) => ({
      channel: this.channel(i),
      caughtUp: async () => {
        const member = this.members[i];
        if (member !== null && member !== undefined) await caughtUp(member);
      },
    }));
    return new SpreadChannel(nodes, seededRandom(seed));
  }

  /** Waits for a leader. */
  async leading(): Promise<number> {
    for (;;) {
      const leader = this.leader();
      if (leader !== -1) return leader;
      await new Promise((resolve) => setTimeout(resolve, LEADER_AGAIN_MS));
    }
  }

  leader(): number {
    return this.members.findIndex((member) => member?.group.status().role === 'leader');
  }

  async remove(): Promise<void> {
    try {
      await this.#endShards();
    } finally {
      await this.#removeMembers();
    }
  }

  async #shard(topology: Topology): Promise<void> {
    this.#shards = await ChurningShards.start({
      endpoints: this.endpoints,
      topology,
      isUp: (node) => this.members[node] !== null,
      token: (node) => this.#rootToken(node),
    });
  }

  async #endShards(): Promise<void> {
    if (this.#shards === null) return;
    this.churn = await this.#shards.stop();
    if (this.failures.length > 0) throw this.failures[0] as Error;
  }

  /** Whoever looks after the shards need not know a test's passwords. */
  #rootToken(node: number): string | null {
    const access = this.members[node]?.backend.access;
    if (access?.auth.enabled !== true) return null;
    const token = 'whoever-looks-after-shards';
    access.tokenIssued(token, 'root');
    return token;
  }

  async #removeMembers(): Promise<void> {
    for (const channel of this.#channels) channel?.close();
    await Promise.all(this.running.map((member) => member.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }

  #peerUrl(i: number): string {
    return `http://127.0.0.1:${this.#basePort + 2 * i + 1}`;
  }
}
