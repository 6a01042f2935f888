import { FlotillaError } from '@flotilla/platform';
import { subcommand } from './subcommand.ts';

/**
 * `flotilla snapshot`: what `etcdctl snapshot save` and `etcdutl snapshot` do, with their options, for files of
 * Flotilla and etcd alike.
 */
export async function run(args: readonly string[]): Promise<number> {
  const [operation, ...rest] = args;
  switch (operation) {
    case 'save':
      return await (await import('./snapshot/save.ts')).run(rest);
    case 'status':
      return await (await import('./snapshot/status.ts')).run(rest);
    case 'restore':
      return await (await import('./snapshot/restore.ts')).run(rest);
    case undefined:
    default:
      showHelp(args);
      return 0;
  }
}

function showHelp(args: readonly string[]): void {
  const program = subcommand('snapshot', "take a snapshot, look at one, make a member's data of one");
  for (const [name, description] of [
    ['save', 'take a snapshot of a running member'],
    ['status', 'say what is in a snapshot'],
    ['restore', "make a member's data directory of a snapshot, of Flotilla's or etcd's"],
  ] as const) {
    program.command(name).description(description);
  }
  const [operation] = args;
  if (operation !== undefined && !operation.startsWith('-')) {
    throw new FlotillaError(
      'FLOTILLA_USAGE',
      `snapshot can save, status and restore, not ${JSON.stringify(operation)}`,
    );
  }
  program.parse(args.length === 0 ? ['--help'] : args, { from: 'user' });
}
