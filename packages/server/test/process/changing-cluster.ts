import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  callUnary,
  Cluster,
  RpcError,
  Maintenance,
  type Member,
  MemberAddRequest,
  MemberListRequest,
  MemberPromoteRequest,
  MemberRemoveRequest,
  type RpcChannel,
  StatusRequest,
} from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { FlotillaProcess } from '../support/command.ts';
import { freePorts } from '../support/ports.ts';
import { pause } from './process-cluster.ts';

/** A place for a member: its URLs, and the process that runs there. */
export interface Place {
  readonly name: string;
  readonly endpoint: string;
  readonly peerUrl: string;
  readonly channel: RpcChannel;
  directory: string;
  process: FlotillaProcess | null;
}

const timeoutMs = 10_000;

/** A cluster whose members come and go. Places are there from the beginning, members are not. */
export class ChangingCluster {
  readonly places: readonly Place[];
  readonly #root: string;

  private constructor(root: string, basePort: number, places: number) {
    this.#root = root;
    this.places = Array.from({ length: places }, (_, index): Place => {
      const endpoint = `http://127.0.0.1:${basePort + 2 * index}`;
      const name = `n${index + 1}`;
      return {
        name,
        endpoint,
        peerUrl: `http://127.0.0.1:${basePort + 2 * index + 1}`,
        channel: openHttp2Channel({ endpoints: [endpoint] }),
        directory: join(root, name),
        process: null,
      };
    });
  }

  static async create(places: number): Promise<ChangingCluster> {
    const root = mkdtempSync(join(tmpdir(), 'flotilla-members-'));
    return new ChangingCluster(root, await freePorts(2 * places), places);
  }

  place(number: number): Place {
    return this.places[number - 1] as Place;
  }

  /** Resolves when it serves. `more`: flags of this start. */
  async start(place: Place, ...more: readonly string[]): Promise<FlotillaProcess> {
    const started = this.spawn(place, ...more);
    await started.line('stdout', /^ready to serve client requests$/);
    return started;
  }

  spawn(place: Place, ...more: readonly string[]): FlotillaProcess {
    place.process = new FlotillaProcess([
      'serve',
      `--name=${place.name}`,
      `--data-dir=${place.directory}`,
      `--listen-client-urls=${place.endpoint}`,
      `--advertise-client-urls=${place.endpoint}`,
      `--listen-peer-urls=${place.peerUrl}`,
      `--initial-advertise-peer-urls=${place.peerUrl}`,
      // etcd wants to see everybody connected for five seconds first.
      '--strict-reconfig-check=false',
      '--log-level=warn',
      ...more,
    ]);
    return place.process;
  }

  /** As `flotilla serve` of a member that was just added is told by `etcdctl member add`. */
  async joinFlags(asked: Place, joining: Place): Promise<readonly string[]> {
    const members = await this.members(asked);
    const list = members.map(
      ({ name, peerUrls }) => `${name === '' ? joining.name : name}=${peerUrls.join()}`,
    );
    return ['--initial-cluster-state=existing', `--initial-cluster=${list.join(',')}`];
  }

  async members(asked: Place): Promise<readonly Member[]> {
    const request = MemberListRequest.create({ linearizable: true });
    return (await callUnary(asked.channel, Cluster.methods.MemberList, request, { timeoutMs })).members;
  }

  async add(asked: Place, joining: Place, isLearner: boolean): Promise<bigint> {
    const request = MemberAddRequest.create({ peerUrls: [joining.peerUrl], isLearner });
    const { member } = await callUnary(asked.channel, Cluster.methods.MemberAdd, request, { timeoutMs });
    return member?.id ?? 0n;
  }

  async remove(asked: Place, id: bigint): Promise<readonly Member[]> {
    const request = MemberRemoveRequest.create({ id });
    return (await callUnary(asked.channel, Cluster.methods.MemberRemove, request, { timeoutMs })).members;
  }

  /** Adds it as a learner, starts it, and makes it a voter as soon as it has caught up. */
  async grow(asked: Place, joining: Place): Promise<bigint> {
    const id = await this.add(asked, joining, true);
    await this.start(joining, ...(await this.joinFlags(asked, joining)));
    for (;;) {
      try {
        const request = MemberPromoteRequest.create({ id });
        await callUnary(asked.channel, Cluster.methods.MemberPromote, request, { timeoutMs });
        break;
      } catch (error) {
        if (!(error instanceof RpcError) || !error.message.includes('in sync with leader')) throw error;
        await pause(50);
      }
    }
    // It answers as a learner until it has applied that it is none any more.
    while ((await this.#status(joining)).isLearner) await pause(10);
    return id;
  }

  async idOf(place: Place): Promise<bigint> {
    const { header } = await this.#status(place);
    return header?.memberId ?? 0n;
  }

  /** Among those that run. */
  async leader(): Promise<Place> {
    for (;;) {
      for (const place of this.places.filter(({ process }) => process !== null && !process.ended)) {
        const { header, leader } = await this.#status(place);
        const found = leader !== 0n && leader === header?.memberId;
        if (found) return place;
      }
      await pause(50);
    }
  }

  /** What a place has written down of the members, for its next start. */
  clusterFile(place: Place): string {
    return readFileSync(join(place.directory, 'cluster.json'), 'utf8');
  }

  logs(): string {
    return this.places
      .map(({ name, process }) => `${name}:\n${process?.stderr.slice(-30).join('\n') ?? 'never started'}`)
      .join('\n');
  }

  async close(): Promise<void> {
    for (const { channel } of this.places) channel.close();
    const started = this.places.flatMap(({ process }) => (process === null ? [] : [process]));
    await Promise.all(started.map((process) => process.stop('SIGKILL')));
    rmSync(this.#root, { recursive: true, force: true });
  }

  #status({ channel }: Place) {
    return callUnary(channel, Maintenance.methods.Status, StatusRequest.create(), { timeoutMs });
  }
}
