import { type Platform, unreachable } from '@flotilla/platform';
import { BoltReader, type EtcdFileStatus, etcdFileStatus } from '@flotilla/store';
import { Option } from 'commander';
import { SnapshotSource } from '../../snapshot/snapshot-source.ts';
import { subcommand } from '../subcommand.ts';
import { snapshotPlatform } from './snapshot-platform.ts';

type Format = 'simple' | 'json' | 'table';

/** `flotilla snapshot status FILE`: what `etcdutl snapshot status` prints of it. */
export async function run(args: readonly string[]): Promise<number> {
  const command = subcommand('snapshot status', 'say what is in a snapshot')
    .argument('<file>', 'a snapshot')
    .addOption(
      new Option('-w, --write-out <format>', 'how to print it')
        .choices(['simple', 'json', 'table'])
        .default('simple'),
    );
  command.parse(args, { from: 'user' });
  const [file] = command.args as [string];
  const { writeOut } = command.opts<{ readonly writeOut: Format }>();
  const status = await statusOf(snapshotPlatform(), file);
  process.stdout.write(`${formatted(status, writeOut)}\n`);
  return 0;
}

async function statusOf(platform: Platform, file: string): Promise<EtcdFileStatus> {
  const source = await SnapshotSource.open(platform, file);
  try {
    return await etcdFileStatus(await BoltReader.open(source));
  } finally {
    await source.close();
  }
}

function formatted(status: EtcdFileStatus, format: Format): string {
  const { hash, revision, totalKeys, totalBytes, version } = status;
  const cells = [hash.toString(16), String(revision), String(totalKeys), humanBytes(totalBytes), version];
  switch (format) {
    case 'simple':
      return cells.join(', ');
    case 'json':
      return JSON.stringify({ hash, revision, totalKey: totalKeys, totalSize: totalBytes, version });
    case 'table':
      return table(['HASH', 'REVISION', 'TOTAL KEYS', 'TOTAL SIZE', 'VERSION'], cells);
    default:
      return unreachable(format);
  }
}

/** As etcd's programs draw it: titles in the middle, cells to the right. */
function table(titles: readonly string[], cells: readonly string[]): string {
  const widths = titles.map((title, i) => Math.max(title.length, (cells[i] as string).length));
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const middle = (text: string, width: number): string =>
    text.padStart(text.length + Math.ceil((width - text.length) / 2)).padEnd(width);
  const head = titles.map((title, i) => middle(title, widths[i] as number));
  const row = cells.map((cell, i) => cell.padStart(widths[i] as number));
  return [rule, `| ${head.join(' | ')} |`, rule, `| ${row.join(' | ')} |`, rule].join('\n');
}

/** Go's `humanize.Bytes`. */
function humanBytes(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  const exponent = Math.floor(Math.log(bytes) / Math.log(1_000));
  const value = Math.floor((bytes / 1_000 ** exponent) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${units[exponent]}`;
}

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
