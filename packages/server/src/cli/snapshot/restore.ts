import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { FlotillaError } from '@flotilla/platform';
import { openLmdb } from '@flotilla/store/lmdb';
import { configure } from '../../configuration/configuration.ts';
import { restoreMember } from '../../snapshot/restore.ts';
import { subcommand } from '../subcommand.ts';
import { snapshotPlatform } from './snapshot-platform.ts';

interface Options {
  readonly dataDir?: string;
  readonly name: string;
  readonly initialCluster?: string;
  readonly initialClusterToken: string;
  readonly initialAdvertisePeerUrls: string;
  readonly skipHashCheck: boolean;
  readonly bumpRevision: string;
  readonly markCompacted: boolean;
}

/**
 * `flotilla snapshot restore FILE`, with etcd's options. The data directory has its name only once all of it is made and
 * on the disk: whatever cuts this off, there is none, and it can be done again.
 */
export async function run(args: readonly string[]): Promise<number> {
  const command = subcommand('snapshot restore', "make a member's data directory of a snapshot")
    .argument('<file>', 'a snapshot, of Flotilla or of etcd')
    .option('--data-dir <directory>', 'to make; NAME.flotilla unless it is said')
    .option('--name <name>', 'of the member', 'default')
    .option('--initial-cluster <list>', 'members of the restored cluster: NAME=PEER_URL,…')
    .option('--initial-cluster-token <token>', 'of the restored cluster', 'etcd-cluster')
    .option('--initial-advertise-peer-urls <urls>', 'of the member', 'http://localhost:2380')
    .option('--skip-hash-check', 'take a file without a hash, copied from a data directory of etcd', false)
    .option('--bump-revision <number>', 'raise the revision by so much', '0')
    .option(
      '--mark-compacted',
      'let all that was before count as compacted (required with --bump-revision, not without)',
      false,
    );
  command.parse(args, { from: 'user' });
  const [file] = command.args as [string];
  const options = command.opts<Options>();
  const bumpRevision = revisionsOf(options);
  const target = resolve(options.dataDir ?? `${options.name}.flotilla`);
  requireFree(target);
  const staging = `${target}.restoring`;
  rmSync(staging, { recursive: true, force: true });
  const summary = await restoreMember({
    platform: snapshotPlatform(),
    configuration: configure(settingsOf(options, staging)),
    openStorage: (directory, tables) => Promise.resolve(openLmdb(directory, tables)),
    file,
    skipHashCheck: options.skipHashCheck,
    bumpRevision,
    markCompacted: options.markCompacted,
  });
  if (existsSync(target)) rmdirSync(target);
  renameSync(staging, target);
  syncDirectory(dirname(target));
  process.stdout.write(
    `restored ${summary.records} records up to revision ${summary.revision} into ${target}\n`,
  );
  return 0;
}

function settingsOf(options: Options, directory: string): ReadonlyMap<string, string> {
  const { name, initialAdvertisePeerUrls: peerUrls } = options;
  const own = peerUrls
    .split(',')
    .map((url) => `${name}=${url}`)
    .join(',');
  return new Map([
    ['name', name],
    ['data-dir', directory],
    ['initial-cluster', options.initialCluster ?? own],
    ['initial-cluster-token', options.initialClusterToken],
    ['initial-advertise-peer-urls', peerUrls],
  ]);
}

function revisionsOf({ bumpRevision, markCompacted }: Options): number {
  const value = Number(bumpRevision);
  if (!/^[0-9]+$/.test(bumpRevision) || !Number.isSafeInteger(value) || value > maxBump) {
    throw usage(`--bump-revision ${JSON.stringify(bumpRevision)}: must be a whole number up to ${maxBump}`);
  }
  if (value > 0 && !markCompacted) throw usage('--mark-compacted required if --bump-revision is set');
  if (value === 0 && markCompacted)
    throw usage('--mark-compacted is disallowed unless --bump-revision is set');
  return value;
}

/** Revisions stay far below what a double can count. */
const maxBump = 2 ** 50;

function requireFree(directory: string): void {
  if (!existsSync(directory)) return;
  if (readdirSync(directory).length === 0) return;
  throw new FlotillaError(
    'FLOTILLA_DATA_DIRECTORY',
    `data-dir ${JSON.stringify(directory)} not empty or could not be read`,
  );
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  fsyncSync(handle);
  closeSync(handle);
}

function usage(message: string): FlotillaError {
  return new FlotillaError('FLOTILLA_USAGE', message);
}
