import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { FlotillaError } from '@flotilla/platform';
import { Maintenance, openStream } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { subcommand } from '../subcommand.ts';

/** `flotilla snapshot save FILE`: the file has its name only once it is whole and on the disk. */
export async function run(args: readonly string[]): Promise<number> {
  const command = subcommand('snapshot save', 'take a snapshot of a running member')
    .argument('<file>', 'where to write it')
    .option('--endpoints <urls>', 'the member, or several of which one is asked', 'http://127.0.0.1:2379');
  command.parse(args, { from: 'user' });
  const [file] = command.args as [string];
  const { endpoints } = command.opts<{ readonly endpoints: string }>();
  const part = `${file}.part`;
  const channel = openHttp2Channel({ endpoints: endpoints.split(',').map(urlOf) });
  const target = openSync(part, 'w');
  try {
    let sizeBytes = 0;
    const stream = openStream(channel, Maintenance.methods.Snapshot);
    stream.write({});
    stream.end();
    for (let response = await stream.read(); response !== null; response = await stream.read()) {
      writeSync(target, response.blob);
      sizeBytes += response.blob.length;
    }
    if (sizeBytes % 512 !== 32) {
      throw new FlotillaError(
        'FLOTILLA_SNAPSHOT_DAMAGED',
        `sha256 checksum not found [bytes: ${sizeBytes}]: the snapshot has not come to its end`,
      );
    }
    fsyncSync(target);
    renameSync(part, file);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  } finally {
    closeSync(target);
    channel.close();
  }
  process.stdout.write(`Snapshot saved at ${file}\n`);
  return 0;
}

function urlOf(endpoint: string): string {
  return endpoint.includes('://') ? endpoint : `http://${endpoint}`;
}
