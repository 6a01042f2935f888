// Loaded into a member before its program, for what a member does not tell of itself. SIGUSR2: the heap that is in use
// once all garbage is gone, as a line on stderr. SIGWINCH: its monotonic clock jumps an hour ahead, as that of a
// machine that was asleep.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
let reports = 0;
process.on('SIGUSR2', () => {
  for (let i = 0; i < 3; i += 1) collect();
  reports += 1;
  process.stderr.write(`heap ${reports}: ${process.memoryUsage().heapUsed}\n`);
});

let aheadMs = 0;
const now = performance.now.bind(performance);
Object.defineProperty(performance, 'now', { value: () => now() + aheadMs });
process.on('SIGWINCH', () => {
  aheadMs += 3_600_000;
  process.stderr.write('clock jumped\n');
});
