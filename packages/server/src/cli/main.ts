import { Command } from 'commander';
import { exitCodeOf, reportError } from './errors.ts';
import { etcdVersionText, versionText } from './version.ts';

/**
 * The command line. Every command is a module with `run(args)`, loaded only when it is asked for: a member starts
 * without the simulator, the benchmark or their dependencies. `run` gets what follows the command's name, parses it
 * with a commander `Command` of its own (see `subcommand.ts`), and answers the exit code when it is over.
 */
const commands: readonly CommandEntry[] = [
  { name: 'dev', description: 'start a cluster on this machine', load: () => import('./dev.ts') },
  {
    name: 'serve',
    description: "start one member, with etcd's flags",
    load: () => import('./serve.ts'),
    version: etcdVersionText,
  },
  {
    name: 'simulate',
    description: 'run the database in the simulator under faults',
    load: () => import('./simulate.ts'),
  },
  {
    name: 'check',
    description: 'judge a history of calls that some store has answered',
    load: () => import('./check.ts'),
  },
  {
    name: 'raft',
    description: 'go on when a majority of members is lost for ever',
    load: () => import('./raft.ts'),
  },
  {
    name: 'snapshot',
    description: 'take a snapshot, look at one, restore one',
    load: () => import('./snapshot.ts'),
  },
  { name: 'bench', description: 'measure an endpoint of Flotilla or etcd', load: () => import('./bench.ts') },
  {
    name: 'shard',
    description: 'split, merge and move the shards of a cluster',
    load: () => import('./shard.ts'),
  },
  { name: 'node', description: 'nodes that have shards', load: () => import('./node.ts') },
  {
    name: 'maelstrom',
    description: 'be a node of a Maelstrom test, on standard input and output',
    load: () => import('./maelstrom.ts'),
  },
];

interface CommandEntry {
  readonly name: string;
  readonly description: string;
  load(): Promise<CommandModule>;
  /** Of a command with a version of its own: test suites ask for it before every start, and load nothing for it. */
  version?(): string;
}

export interface CommandModule {
  run(args: readonly string[]): Promise<number>;
}

async function main(args: readonly string[]): Promise<void> {
  const entry = commands.find((candidate) => candidate.name === args[0]);
  if (entry === undefined) {
    showHelp(args);
    return;
  }
  if (entry.version !== undefined && args.length === 2 && /^--?version$/.test(args[1] ?? '')) {
    console.log(entry.version());
    return;
  }
  const command = await entry.load();
  process.exitCode = await command.run(args.slice(1));
}

/** Help, version, and what is wrong with anything else. */
function showHelp(args: readonly string[]): void {
  const program = new Command('flotilla')
    .description("a key-value database that speaks etcd's API")
    .version(versionText(), '--version', 'print the version')
    .configureOutput({ writeErr: () => undefined })
    .exitOverride();
  for (const entry of commands) program.command(entry.name).description(entry.description);
  program.parse(args.length === 0 ? ['--help'] : args, { from: 'user' });
}

// Whoever read the one line that mattered may have closed the pipe: no reason to end.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

try {
  await main(process.argv.slice(2));
} catch (error) {
  reportError(error);
  process.exitCode = exitCodeOf(error);
}
// A command is over when it says so, whatever sockets and timers it has left behind.
process.exit();
