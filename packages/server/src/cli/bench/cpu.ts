import { readFileSync } from 'node:fs';

/** CPU time since it was made: of this process and of others. */
export class CpuClock {
  readonly #serverPids: readonly number[];
  readonly #clientStart = process.cpuUsage();
  readonly #serverStart: number;

  constructor(serverPids: readonly number[]) {
    this.#serverPids = serverPids;
    this.#serverStart = sum(serverPids);
  }

  /** In microseconds, user and system together; `server` is null when there are no processes to ask. */
  elapsed(): { readonly client: number; readonly server: number | null } {
    const { user, system } = process.cpuUsage(this.#clientStart);
    const server = this.#serverPids.length === 0 ? null : sum(this.#serverPids) - this.#serverStart;
    return { client: user + system, server };
  }
}

/** Linux counts in hundredths of a second for whoever asks from outside. */
const MICROSECONDS_PER_TICK = 10_000;

function sum(pids: readonly number[]): number {
  return pids.reduce((total, pid) => total + cpuOf(pid), 0);
}

function cpuOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK;
}
