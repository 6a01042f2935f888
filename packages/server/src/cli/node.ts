import { nodeCommands } from './shards/node-commands.ts';
import { runOneOf } from './shard.ts';

/** `flotilla node`: which nodes have shards. docs/shards.md. */
export function run(args: readonly string[]): Promise<number> {
  return runOneOf('node', 'nodes that have shards, how they come and how they go', nodeCommands, args);
}
