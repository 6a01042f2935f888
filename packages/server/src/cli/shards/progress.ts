import { type MethodDescriptor, openStream, type ShardProgress, toJson } from '@flotilla/wire';
import { FlotillaError } from '@flotilla/platform';
import { ShardProgress as ShardProgressCodec } from '@flotilla/wire';
import type { Connected, OutputFormat } from './endpoint-options.ts';

/** Where progress goes. */
export interface Screen {
  readonly isTerminal: boolean;
  readonly columns: number;
  write(text: string): void;
}

export const standardScreen: Screen = {
  get isTerminal() {
    return process.stdout.isTTY;
  },
  get columns() {
    return process.stdout.columns;
  },
  write: (text) => {
    process.stdout.write(text);
  },
};

/**
 * Follows an operation to its end: on a terminal with a bar that grows, elsewhere with its last line alone, and as JSON
 * with a line for each step.
 */
export async function follow<Request>(
  { channel, long }: Connected,
  descriptor: MethodDescriptor<Request, ShardProgress, 'server-stream'>,
  request: Request,
  format: OutputFormat,
  screen: Screen = standardScreen,
): Promise<ShardProgress> {
  const stream = openStream(channel, descriptor, long);
  stream.write(request);
  stream.end();
  let isDrawn = false;
  try {
    for (let progress = await stream.read(); progress !== null; progress = await stream.read()) {
      if (format === 'json') screen.write(`${toJson(ShardProgressCodec, progress)}\n`);
      else if (progress.finished) screen.write(`${isDrawn ? erase : ''}${progress.text}\n`);
      else if (screen.isTerminal) {
        screen.write(`${isDrawn ? erase : ''}${barOf(progress, screen.columns)}`);
        isDrawn = true;
      }
      if (progress.finished) return progress;
    }
  } catch (error) {
    if (isDrawn) screen.write(erase);
    throw error;
  }
  throw new FlotillaError(
    'FLOTILLA_SHARD_UNFINISHED',
    'the member ended the answer before the operation was over; it goes on: look at `flotilla shard list`',
  );
}

/** To the start of the line, and nothing on it. */
const erase = '\r\u001b[2K';

export function barOf({ done, total, text }: ShardProgress, columns: number): string {
  const width = total === 0 ? 0 : Math.max(8, Math.min(barWidth, columns - text.length - 12));
  if (width === 0) return text.slice(0, Math.max(1, columns - 1));
  const filled = Math.round((Math.min(done, total) / total) * width);
  const bar = `[${'='.repeat(filled)}${' '.repeat(width - filled)}] ${done}/${total} ${text}`;
  return bar.slice(0, Math.max(1, columns - 1));
}

const barWidth = 30;
