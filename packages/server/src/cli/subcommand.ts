import { Command } from 'commander';

/** The commander `Command` that a subcommand parses its own arguments with: errors become one line, exit code 1. */
export function subcommand(name: string, description: string): Command {
  return new Command(`flotilla ${name}`)
    .description(description)
    .allowExcessArguments(false)
    .configureOutput({ writeErr: () => undefined })
    .exitOverride();
}
