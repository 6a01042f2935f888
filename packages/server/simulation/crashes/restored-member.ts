import type { Platform } from '@flotilla/platform';
import type { Entry, Index, Term } from '@flotilla/raft';
import { fromEventLoop, generatedTape, World } from '@flotilla/sim';
import {
  Database,
  encodeProposal,
  MemoryImage,
  MemoryStorage,
  noOrigin,
  storageTables,
} from '@flotilla/store';
import { listenFramed, PutRequest } from '@flotilla/wire';
import { configure, type Configuration } from '../../src/configuration/configuration.ts';
import { Member } from '../../src/member/member.ts';
import { restoreMember } from '../../src/snapshot/restore.ts';
import { bytesOf } from '../cluster/etcd-messages.ts';
import { simulatedAuth } from '../cluster/simulated-auth.ts';
import { CrashPoint } from './crash-point.ts';
import type { CrashRun } from './operations.ts';

const file = 'snapshot.db';
/** Preallocated space is not what this is about. */
const host = { logLimits: { segmentBytes: 64 * 1024 } } as const;

/**
 * Restores a snapshot, under a new name after each crash as `flotilla snapshot restore` does, cuts the power as soon as it
 * is said to be done, and starts a member on what is left.
 */
export function restoreAndServe(seed: number, at: number, lateMs?: number): Promise<CrashRun> {
  return fromEventLoop(() => {
    const world = new World({ tape: generatedTape(seed) });
    const point = new CrashPoint(at, lateMs);
    const lives = new RestoredMember(point);
    const node = world.addNode('n1', (platform) => lives.main(platform));
    const until = (what: string, holds: () => boolean): void => {
      world.run(30_000, holds);
      const { violation } = world;
      if (violation !== null) throw new Error(`${violation.message}\n${violation.stack ?? ''}`);
      if (!holds()) throw new Error(`not in time: ${what}`);
    };
    try {
      point.arm(node);
      node.start();
      until('restored', () => lives.restored !== null);
      point.disarm();
      node.crash({ unreachable: true });
      node.start();
      until('it serves', () => lives.outcome !== null);
      return { outcome: lives.outcome ?? '', steps: point.steps, crashedAt: point.crashedAt };
    } finally {
      world.end();
    }
  });
}

class RestoredMember {
  /** The directory and the storage of the attempt that came to its end. */
  restored: { readonly directory: string; readonly image: MemoryImage } | null = null;
  outcome: string | null = null;
  readonly #point: CrashPoint;
  #attempts = 0;
  #hasFile = false;

  constructor(point: CrashPoint) {
    this.#point = point;
  }

  async main(platform: Platform): Promise<void> {
    if (!this.#hasFile) await writeSnapshot(platform);
    this.#hasFile = true;
    if (this.restored === null) {
      this.restored = await this.#restore(platform);
      return;
    }
    await this.#serve(platform, this.restored);
  }

  async #restore(platform: Platform): Promise<{ directory: string; image: MemoryImage }> {
    this.#attempts += 1;
    const directory = `restoring-${this.#attempts}`;
    const image = new MemoryImage();
    await restoreMember({
      platform: this.#point.platform(platform),
      configuration: configurationOf(directory),
      openStorage: (_directory, tables) => {
        const delays = { maxCommitDelayMs: 3, maxFlushDelayMs: 5 };
        const storage = new MemoryStorage(platform, tables, { image, ...delays });
        return Promise.resolve(this.#point.storage(storage, platform));
      },
      file,
      skipHashCheck: true,
      bumpRevision: 0,
      markCompacted: false,
      host,
    });
    return { directory, image };
  }

  async #serve(
    platform: Platform,
    { directory, image }: { directory: string; image: MemoryImage },
  ): Promise<void> {
    const stop = (error: unknown): void => {
      platform.defer(() => {
        throw error;
      });
    };
    const member = await Member.start({
      platform,
      configuration: configurationOf(directory),
      auth: simulatedAuth(platform),
      openStorage: (_directory, tables) =>
        Promise.resolve(
          new MemoryStorage(platform, tables, { image, maxCommitDelayMs: 0, maxFlushDelayMs: 0 }),
        ),
      listen: ({ address, services }) => listenFramed(platform, { address, services, handlerFailed: stop }),
      onFatal: stop,
      host,
    });
    await member.whenReady();
    const { database } = member;
    const { hash } = await database.hashKeyValues(0);
    const { revision, compactRevision, liveBytes, keyCount } = database;
    this.outcome = JSON.stringify({ revision, compactRevision, liveBytes, keyCount, hash });
  }
}

function configurationOf(directory: string): Configuration {
  return configure(
    new Map([
      ['name', 'n1'],
      ['data-dir', directory],
      ['listen-peer-urls', 'http://0.0.0.0:2380'],
      ['listen-client-urls', 'http://0.0.0.0:2379'],
      ['advertise-client-urls', 'http://n1:2379'],
      ['initial-advertise-peer-urls', 'http://n1:2380'],
      ['initial-cluster', 'n1=http://n1:2380'],
    ]),
  );
}

async function writeSnapshot(platform: Platform): Promise<void> {
  const nothingKept = { image: null, maxCommitDelayMs: 0, maxFlushDelayMs: 0 };
  const sender = await Database.open(platform, new MemoryStorage(platform, storageTables, nothingKept));
  sender.apply(Array.from({ length: 20 }, (_, i) => putEntry(i + 1, `k/${i % 7}`, String(i))));
  const handle = await platform.disk.open(file, 'create');
  const facts = { clusterVersion: '3.7.0', storageVersion: '3.7.0', members: [], removedMembers: [] };
  await sender.writeEtcdFile({ write: (position, bytes) => handle.write(position, bytes) }, facts);
  await handle.sync();
  await handle.close();
  await platform.disk.syncDirectory('.');
  await sender.close();
}

function putEntry(index: number, key: string, value: string): Entry {
  const request = PutRequest.encode(PutRequest.create({ key: bytesOf(key), value: bytesOf(value) }));
  const payload = encodeProposal({ kind: 'put', requestId: index, request, origin: noOrigin });
  return { index: index as Index, term: 1 as Term, kind: 'command', payload };
}
