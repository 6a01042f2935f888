import type { Platform } from '@flotilla/platform';
import { MemoryImage, MemoryStorage } from '@flotilla/store';
import type { OrderedStorage } from '@flotilla/store';
import type { World } from '@flotilla/sim';
import { listenFramed } from '@flotilla/wire';
import { configure } from '../../src/configuration/configuration.ts';
import type { Configuration } from '../../src/configuration/configuration.ts';
import { Member } from '../../src/member/member.ts';
import type { ClusterSettings } from './cluster-settings.ts';
import { simulatedAuth } from './simulated-auth.ts';
import type { WrittenHistory } from './written-history.ts';

export const clientPort = 2379;
export const peerPort = 2380;

/** What a member needs to know of its cluster's settings. */
export interface MemberSettings extends Pick<
  ClusterSettings,
  'heartbeatMs' | 'electionMs' | 'snapshotCount' | 'host' | 'commitDelayMs' | 'flushDelayMs'
> {
  /** Puts itself between the database and its storage, in each life. */
  readonly wrapStorage?: (storage: OrderedStorage, platform: Platform) => OrderedStorage;
}

/** The place of a member in a cluster whose members come and go. */
export interface MemberPlace {
  /** Settings of the next life, beside the usual ones. */
  settings(): readonly (readonly [string, string])[];
  removed(): void;
}

/** One member of the simulated cluster, over all its lives. */
export class MemberNode {
  readonly name: string;
  /** The running member; null while it starts or is down. */
  member: Member | null = null;
  readonly #world: World;
  readonly #settings: MemberSettings;
  readonly #names: readonly string[];
  readonly #place: MemberPlace | null;
  /** What the storage has flushed: with the simulated disk it is all that outlasts a crash. */
  readonly #image = new MemoryImage();
  readonly #elected: (term: number, name: string) => void;
  readonly #written: WrittenHistory;

  constructor(
    world: World,
    settings: MemberSettings,
    name: string,
    names: readonly string[],
    written: WrittenHistory,
    elected: (term: number, name: string) => void,
    place: MemberPlace | null = null,
  ) {
    this.#written = written;
    this.#world = world;
    this.#settings = settings;
    this.name = name;
    this.#names = names;
    this.#place = place;
    this.#elected = elected;
  }

  async main(platform: Platform): Promise<void> {
    this.member = null;
    const { commitDelayMs, flushDelayMs, host, wrapStorage = (storage) => storage } = this.#settings;
    const place = this.#place;
    const stop = (error: unknown): void => {
      // An error that nobody catches is how a process ends here.
      platform.defer(() => {
        throw error;
      });
    };
    const member = await Member.start({
      platform,
      configuration: configurationOf(this.#settings, this.name, this.#names, this.#place?.settings() ?? []),
      auth: simulatedAuth(platform),
      openStorage: (_directory, tables) => {
        const image = this.#image;
        const delays = { maxCommitDelayMs: commitDelayMs, maxFlushDelayMs: flushDelayMs };
        const storage = new MemoryStorage(platform, tables, { image, ...delays });
        return Promise.resolve(wrapStorage(storage, platform));
      },
      listen: ({ address, services, maxReceiveMessageBytes }) =>
        listenFramed(platform, {
          address,
          services,
          ...(maxReceiveMessageBytes === undefined ? {} : { maxReceiveMessageBytes }),
          handlerFailed: stop,
        }),
      onFatal: stop,
      ...(place === null ? {} : { onRemoved: () => place.removed() }),
      host,
    });
    member.group.onRoleChange((change) => {
      if (change.role === 'leader') this.#elected(change.term, this.name);
    });
    if (member.group.status().role === 'leader') this.#elected(member.group.status().term, this.name);
    this.#written.follow(this.name, member.database);
    this.member = member;
    this.#world.coverage.count('member started');
  }
}

function configurationOf(
  settings: MemberSettings,
  name: string,
  names: readonly string[],
  more: readonly (readonly [string, string])[],
): Configuration {
  return configure(
    new Map([
      ['name', name],
      ['data-dir', `${name}.flotilla`],
      ['listen-peer-urls', `http://0.0.0.0:${peerPort}`],
      ['listen-client-urls', `http://0.0.0.0:${clientPort}`],
      ['advertise-client-urls', `http://${name}:${clientPort}`],
      ['initial-advertise-peer-urls', `http://${name}:${peerPort}`],
      ['initial-cluster', names.map((peer) => `${peer}=http://${peer}:${peerPort}`).join(',')],
      ['heartbeat-interval', String(Math.round(settings.heartbeatMs))],
      ['election-timeout', String(settings.electionMs)],
      ['snapshot-count', String(settings.snapshotCount)],
      ...more,
    ]),
  );
}
