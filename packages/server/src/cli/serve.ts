import { fstatSync, readFileSync } from 'node:fs';
import { FlotillaError, messageOf } from '@flotilla/platform';
import { type Command, CommanderError, Option } from 'commander';
import { configure } from '../configuration/configuration.ts';
import { environmentName, settings } from '../configuration/settings.ts';
import { type Collected, collect } from '../configuration/sources.ts';
import { likeGo } from './arguments.ts';
import { reportError } from './errors.ts';
import { openLogger } from './logger.ts';
import { startNodeMember } from './node-member.ts';
import { servingFields, startingFields } from './starting.ts';
import { subcommand } from './subcommand.ts';
import { etcdVersionText } from './version.ts';

/** `flotilla serve`: one member. Lives until SIGINT or SIGTERM, or until the `flotilla dev` that started it is gone. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, warnings } = collectFrom(args);
  const configuration = configure(values);
  const logger = openLogger(configuration.name, configuration.logLevel, configuration.logOutputs);
  for (const warning of warnings) logger.warn(warning);
  logger.info('starting an etcd server', startingFields(values));
  // A member that met what it cannot explain must not go on: its state may be wrong.
  process.on('uncaughtException', endWith);
  process.on('unhandledRejection', endWith);
  let removed: (over: 'stop') => void = () => undefined;
  const over = Promise.race([
    stopSignal(),
    new Promise<'stop'>((resolve) => {
      removed = resolve;
    }),
  ]);
  const starting = startNodeMember(configuration, logger, endWith, () => {
    logger.warn('data-dir used by this member must be removed');
    removed('stop');
  });
  const member = await Promise.race([starting, over]);
  if (member === 'stop') return 0;
  void member.whenReady().then(() => {
    logger.info(readyText);
    for (const fields of servingFields(configuration)) logger.info('serving client traffic', fields);
    // Where both go to the same place, the log has said it.
    if (!isSameStream(1, 2)) process.stdout.write(`${readyText}\n`);
  });
  await over;
  await member.stop();
  logger.info('stopped');
  return 0;
}

/** The line that etcd's own test suites, and scripts, wait for. */
const readyText = 'ready to serve client requests';

function collectFrom(args: readonly string[]): Collected {
  const command = subcommand('serve', "start one member, with etcd's flags")
    .version(etcdVersionText(), '--version', 'print the version')
    .option(
      '--config-file <path>',
      "settings as a YAML file with etcd's keys; flags and variables are ignored then",
    );
  for (const setting of settings) {
    const note = setting.effect === 'used' ? setting.note : `${setting.effect}: ${setting.note}`;
    const option = new Option(`--${setting.name} <value>`, `${note}${defaultNote(setting.defaultValue)}`);
    command.addOption(setting.effect === 'used' ? option : option.hideHelp());
  }
  command.addHelpText(
    'after',
    '\nEvery setting is also an environment variable (ETCD_NAME, …) and a key of the configuration file. The other\n' +
      'settings of etcd 3.7 are accepted with a warning, or refused where ignoring them would not be safe.',
  );
  parseLikeGo(command, args);
  const flags = new Map<string, string>();
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (typeof value === 'string') flags.set((option.long as string).slice(2), value);
  }
  const path = flags.get('config-file') ?? process.env[environmentName('config-file')];
  flags.delete('config-file');
  const file = path === undefined || path === '' ? null : { path, text: readConfiguration(path) };
  return collect({ flags, environment: process.env, file });
}

/** Mistakes are told in the words of Go's flags, with their exit code, which scripts know. */
function parseLikeGo(command: Command, args: readonly string[]): void {
  try {
    command.parse(likeGo(args), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const subject = /'(?:--)?([^'= ]+)/.exec(error.message)?.[1] ?? '';
    if (error.code === 'commander.unknownOption') {
      throw new CommanderError(2, error.code, `flag provided but not defined: -${subject.replace(/^-/, '')}`);
    }
    if (error.code === 'commander.optionMissingArgument') {
      throw new CommanderError(2, error.code, `flag needs an argument: -${subject}`);
    }
    if (error.code === 'commander.excessArguments') {
      const stray = command.args[0] ?? '';
      throw new CommanderError(1, error.code, `${JSON.stringify(stray)} is not a valid flag`);
    }
    throw error;
  }
}

function defaultNote(value: string): string {
  return value === '' ? '' : ` (default: ${value})`;
}

function readConfiguration(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new FlotillaError(
      'FLOTILLA_CONFIGURATION',
      `cannot read the configuration file: ${messageOf(error)}`,
    );
  }
}

function stopSignal(): Promise<'stop'> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve('stop'));
    // Started by `flotilla dev`: without it nobody would end this member.
    if (process.env['FLOTILLA_SUPERVISED'] === '1') process.once('disconnect', () => resolve('stop'));
  });
}

function isSameStream(one: number, other: number): boolean {
  const [a, b] = [fstatSync(one), fstatSync(other)];
  return a.dev === b.dev && a.ino === b.ino;
}

function endWith(error: unknown): never {
  reportError(error);
  process.exit(1);
}
