import { type Codec, callUnary, ShardController, Shards, toJson } from '@flotilla/wire';
import {
  ShardExplainResponse,
  ShardHistoryResponse,
  ShardListResponse,
  ShardQueryResponse,
  ShardTransferLeaderResponse,
} from '@flotilla/wire';
import type { Command } from 'commander';
import { subcommand } from '../subcommand.ts';
import { keyOf, nodeOf, wholeNumber } from './arguments.ts';
import {
  type Connected,
  connected,
  type EndpointOptions,
  type OutputFormat,
  usage,
  withEndpointOptions,
} from './endpoint-options.ts';
import { explanation, historyTable, placeTable, shardTable } from './print.ts';
import { follow } from './progress.ts';

export interface ShardCommand {
  readonly name: string;
  readonly description: string;
  run(args: readonly string[]): Promise<number>;
}

/** What commander has of `--write-out`, beside what a command has of its own. */
export type CommonOptions = EndpointOptions & {
  readonly writeOut: OutputFormat;
  readonly configuration?: string;
};

/** Parses, and then connects: what is wrong with the arguments is said without a cluster. */
export function shardCommand<Request>(
  group: string,
  name: string,
  description: string,
  define: (command: Command) => Command,
  read: (args: readonly string[], options: CommonOptions) => Request,
  execute: (cluster: Connected, request: Request, format: OutputFormat) => Promise<void>,
): ShardCommand {
  return {
    name,
    description,
    run: async (args) => {
      const command = define(withEndpointOptions(subcommand(`${group} ${name}`, description)));
      command.parse(args, { from: 'user' });
      const options = command.opts<CommonOptions>();
      const request = read(command.args, options);
      await connected(options, (cluster) => execute(cluster, request, options.writeOut));
      return 0;
    },
  };
}

export function withConfiguration(command: Command): Command {
  return command.option(
    '--configuration <number>',
    'as `list` and `query` say it: refused when what it is about has changed since',
    '0',
  );
}

export function configurationOf({ configuration = '0' }: CommonOptions): number {
  return wholeNumber('--configuration', configuration);
}

export function print<Response>(
  codec: Codec<Response>,
  response: Response,
  format: OutputFormat,
  table: (response: Response) => string,
): void {
  process.stdout.write(`${format === 'json' ? toJson(codec, response) : table(response)}\n`);
}

/** Of an option of the command's own; empty: it was not given. */
export function textOf(options: object, name: string): string {
  const value = (options as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'string' ? value : '';
}

export function listOf(options: object, name: string): readonly string[] {
  const value = (options as Readonly<Record<string, unknown>>)[name];
  return Array.isArray(value) ? value.map(String) : [];
}

const shardOf = (text: string | undefined): number => wholeNumber('shard', text ?? '');
const define = (change: (command: Command) => Command) => (command: Command) =>
  change(withConfiguration(command));

export const shardCommands: readonly ShardCommand[] = [
  shardCommand(
    'shard',
    'begin',
    'make a cluster sharded, once and for all, and split its keys',
    (command) =>
      command
        .option('--shards <count>', 'how many, split evenly', '0')
        .option('--at <key...>', 'where to split instead: each key begins a shard')
        .option('--replicas <count>', 'of every shard; 0: three, or as many as there are nodes', '0'),
    (_args, options) => {
      const keys = listOf(options, 'at').map(keyOf);
      const shards = wholeNumber('--shards', textOf(options, 'shards'));
      if (keys.length === 0 && shards === 0) throw usage('begin wants --shards, or keys to split --at');
      return { shards, keys, replicas: wholeNumber('--replicas', textOf(options, 'replicas')) };
    },
    async (cluster, request, format) => {
      await follow(cluster, Shards.methods.Begin, request, format);
    },
  ),
  shardCommand(
    'shard',
    'list',
    'list the shards',
    (command) => command,
    () => ({}),
    async ({ channel, call }, request, format) => {
      print(
        ShardListResponse,
        await callUnary(channel, Shards.methods.List, request, call),
        format,
        shardTable,
      );
    },
  ),
  shardCommand(
    'shard',
    'split',
    'make two shards of one',
    define((command) =>
      command
        .argument('<shard>', 'its number')
        .option('--at <key>', 'the first key of the new shard; in the middle of its keys unless it is said'),
    ),
    ([shard], options) => ({
      shard: shardOf(shard),
      key: keyOf(textOf(options, 'at')),
      configuration: configurationOf(options),
    }),
    async (cluster, request, format) => {
      await follow(cluster, Shards.methods.Split, request, format);
    },
  ),
  shardCommand(
    'shard',
    'merge',
    'make a shard part of a neighbour',
    define((command) =>
      command.argument('<shard>', 'that goes').argument('<into>', 'the neighbour that gets its keys'),
    ),
    ([shard, into], options) => ({
      shard: shardOf(shard),
      into: shardOf(into),
      configuration: configurationOf(options),
    }),
    async (cluster, request, format) => {
      await follow(cluster, Shards.methods.Merge, request, format);
    },
  ),
  shardCommand(
    'shard',
    'move',
    'move a replica of a shard to another node, and its leadership with it',
    define((command) =>
      command
        .argument('<shard>', 'its number')
        .requiredOption('--to <node>', 'that gets it: number, name or member')
        .option('--from <node>', 'that loses it; whoever is best spared unless it is said', '0'),
    ),
    ([shard], options) => ({
      shard: shardOf(shard),
      from: textOf(options, 'from'),
      to: textOf(options, 'to'),
      configuration: configurationOf(options),
    }),
    async (cluster, { shard, from, to, configuration }, format) => {
      const ends = { from: await nodeOf(cluster, from), to: await nodeOf(cluster, to) };
      await follow(cluster, ShardController.methods.Move, { shard, ...ends, configuration }, format);
    },
  ),
  shardCommand(
    'shard',
    'transfer',
    'have another replica lead a shard',
    define((command) =>
      command
        .argument('<shard>', 'its number')
        .requiredOption('--to <node>', 'that leads it then: number, name or member'),
    ),
    ([shard], options) => ({
      shard: shardOf(shard),
      to: textOf(options, 'to'),
      configuration: configurationOf(options),
    }),
    async (cluster, { shard, to, configuration }, format) => {
      const request = { shard, to: await nodeOf(cluster, to), configuration };
      const { channel, call } = cluster;
      const response = await callUnary(channel, Shards.methods.TransferLeader, request, call);
      print(
        ShardTransferLeaderResponse,
        response,
        format,
        ({ leader }) => `node ${leader} leads shard ${shard}`,
      );
    },
  ),
  shardCommand(
    'shard',
    'replicas',
    'say how many replicas a shard, or every shard, shall have',
    define((command) =>
      command.argument('<shard>', 'its number, or `all`').argument('<count>', 'how many replicas'),
    ),
    ([shard, count], options) => ({
      shard: shard === 'all' ? -1 : shardOf(shard),
      replicas: wholeNumber('count', count ?? '', 1),
      configuration: configurationOf(options),
    }),
    async (cluster, request, format) => {
      await follow(cluster, Shards.methods.SetReplicas, request, format);
    },
  ),
  shardCommand(
    'shard',
    'history',
    'list the last configurations, each as the change that made it',
    (command) =>
      command
        .argument('[shard]', 'only changes of this one')
        .option('--limit <count>', 'only the latest; 0: all that are kept', '0'),
    ([shard], options) => ({
      shard: shard === undefined ? -1 : shardOf(shard),
      limit: wholeNumber('--limit', textOf(options, 'limit')),
    }),
    async ({ channel, call }, request, format) => {
      const response = await callUnary(channel, Shards.methods.History, request, call);
      print(ShardHistoryResponse, response, format, historyTable);
    },
  ),
  shardCommand(
    'shard',
    'query',
    'show a configuration: who served which keys then',
    (command) => command.argument('[configuration]', 'its number; -1 or 0: the latest', '0'),
    ([number = '0']) => ({ configuration: number === '-1' ? -1 : wholeNumber('configuration', number) }),
    async ({ channel, call }, request, format) => {
      const response = await callUnary(channel, ShardController.methods.Query, request, call);
      print(ShardQueryResponse, response, format, placeTable);
    },
  ),
  shardCommand(
    'shard',
    'explain',
    'say why a shard is where it is, and what is done about it',
    (command) => command.argument('<shard>', 'its number'),
    ([shard]) => ({ shard: shardOf(shard) }),
    async ({ channel, call }, request, format) => {
      const response = await callUnary(channel, Shards.methods.Explain, request, call);
      print(ShardExplainResponse, response, format, explanation);
    },
  ),
];
