import { bank } from './bank.ts';
import { listAppend } from './list-append.ts';
import { longFork } from './long-fork.ts';
import { phantom } from './phantom.ts';
import { registers } from './registers.ts';
import type { Workload } from './workload.ts';
import { writeSkew } from './write-skew.ts';

export const workloads: readonly Workload[] = [bank, listAppend, longFork, writeSkew, phantom, registers];
