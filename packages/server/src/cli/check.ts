import { readFileSync, writeFileSync } from 'node:fs';
import { FlotillaError, messageOf } from '@flotilla/platform';
import { reportError } from './errors.ts';
import { subcommand } from './subcommand.ts';

/**
 * `flotilla check`: judges a history of calls, one JSON object a line, that any program has written. The exit code says
 * what it found: 0 for a right one, 1 for one that must not be, 2 for one that could not be judged.
 */
export async function run(args: readonly string[]): Promise<number> {
  // As `simulate` loads the simulator: for this command alone, and only when it runs.
  // oxlint-disable-next-line eslint/no-restricted-imports
  const { judgedModels, judgeHistory, HistoryError, describeVerdict } = await import('@flotilla/check');
  const command = subcommand('check', 'judge a history of calls that some store has answered')
    .argument('<history>', 'a file of one JSON object a line; - reads the standard input')
    .requiredOption('--model <name>', `what it is a history of: ${judgedModels.join(', ')}`)
    .option('--no-realtime', 'of transactions: any order will do (serializability)')
    .option('--overlapping', 'one client may have several calls open at once')
    .option('--html <file>', 'write the finding, drawn, into one page');
  try {
    command.parse(args, { from: 'user' });
    const options = command.opts<Options>();
    const [path = ''] = command.args;
    const model = judgedModels.find((name) => name === options.model);
    if (model === undefined) {
      throw new FlotillaError(
        'FLOTILLA_USAGE',
        `no model is named ${options.model}: there are ${judgedModels.join(', ')}`,
      );
    }
    if (!options.realtime && model !== 'list-append' && model !== 'rw-register') {
      throw new FlotillaError('FLOTILLA_USAGE', `--no-realtime: ${model} is nothing without real time`);
    }
    const { overlapping = false, realtime: realTime } = options;
    const judgement = judgeHistory(model, read(path), { overlapping, realTime });
    if (options.html !== undefined) write(options.html, judgement.page(`${model}: ${path}`));
    const { verdict, calls } = judgement;
    const told = verdict.outcome === 'ok' ? describeVerdict(verdict) : judgement.text();
    process.stdout.write(`${told}\n${calls} calls, model ${model}: ${verdict.outcome}\n`);
    return exitCodes[verdict.outcome];
  } catch (error) {
    const known = error instanceof HistoryError ? new FlotillaError(error.code, error.message) : error;
    reportError(known);
    return isHelp(known) ? 0 : exitCodes.unknown;
  }
}

interface Options {
  readonly model: string;
  readonly realtime: boolean;
  readonly overlapping?: true;
  readonly html?: string;
}

const exitCodes = { ok: 0, illegal: 1, unknown: 2 } as const;

function isHelp(error: unknown): boolean {
  return error instanceof Error && 'exitCode' in error && error.exitCode === 0;
}

function read(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new FlotillaError('FLOTILLA_USAGE', `cannot read the history: ${messageOf(error)}`);
  }
}

function write(path: string, page: string): void {
  try {
    writeFileSync(path, page);
  } catch (error) {
    throw new FlotillaError('FLOTILLA_USAGE', `cannot write the page: ${messageOf(error)}`);
  }
}
