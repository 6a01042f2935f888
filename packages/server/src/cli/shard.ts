import { FlotillaError } from '@flotilla/platform';
import { type ShardCommand, shardCommands } from './shards/shard-commands.ts';
import { subcommand } from './subcommand.ts';

/** `flotilla shard`: who serves which keys, on which nodes, and how that changes. docs/shards.md. */
export function run(args: readonly string[]): Promise<number> {
  return runOneOf(
    'shard',
    'who serves which keys, on which nodes, and how that changes',
    shardCommands,
    args,
  );
}

export async function runOneOf(
  name: string,
  description: string,
  commands: readonly ShardCommand[],
  args: readonly string[],
): Promise<number> {
  const [operation, ...rest] = args;
  const command = commands.find((its) => its.name === operation);
  if (command !== undefined) return await command.run(rest);
  if (operation !== undefined && !operation.startsWith('-')) {
    const names = commands.map((its) => its.name).join(', ');
    throw new FlotillaError('FLOTILLA_USAGE', `${name} can ${names}, not ${JSON.stringify(operation)}`);
  }
  const program = subcommand(name, description);
  for (const its of commands) program.command(its.name).description(its.description);
  program.parse(args.length === 0 ? ['--help'] : args, { from: 'user' });
  return 0;
}
