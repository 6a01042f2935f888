export { orderingScenario } from './ordering/ordering.ts';
