// Generated operations against a real etcd and Flotilla, every answer compared.
//
//   npm run soak:differential -- --operations 20000 --seed 1
//   npm run soak:differential -- --sharded    five nodes, sixteen shards that never keep still
import { parseArgs } from 'node:util';
import { describeChurn } from '../../support/sharded/describe-churn.ts';
import { topologyOf } from '../../support/sharded/topology.ts';
import { differential } from './differential.ts';

const { values } = parseArgs({
  options: {
    operations: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    sharded: { type: 'boolean', default: false },
  },
});
const startMs = performance.now();
const seed = Number(values.seed);
const { failure, operations, errors, events, byMethod, known, churn } = await differential(
  seed,
  Number(values.operations),
  (values.sharded ? topologyOf('5x16-churn') : null) ?? undefined,
);
if (failure === null) {
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(
    `seed ${seed}: ${operations} operations equal, ${errors} of them errors, ${events} watch events, ${seconds} s`,
  );
  for (const [method, count] of [...byMethod].sort(([, a], [, b]) => b - a))
    console.log(`${String(count).padStart(8)} ${method}`);
  for (const [reason, count] of known) console.log(`${String(count).padStart(8)} known: ${reason}`);
  if (churn !== null && churn !== undefined) console.log(describeChurn(churn));
} else {
  console.error(failure);
  process.exitCode = 1;
}
