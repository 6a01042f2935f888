export { orderingScenario } from './ordering/ordering.ts';
export { leaseLives } from '../src/order/lease-life.ts';
export { nodeLives } from '../src/order/node-life.ts';
export { shardLives } from '../src/shard/shard-life.ts';
export { transactionLives } from '../src/shard/transaction-life.ts';
