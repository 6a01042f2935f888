import type { ListCall } from './list-append.ts';

/** One line: `transaction 4 of client 1 (read x, append 7 to y)`. */
export function describeTransaction({ id, client, operation }: ListCall): string {
  const steps = operation.map((step) =>
    step.type === 'read' ? `read ${step.key}` : `append ${step.element} to ${step.key}`,
  );
  return `transaction ${id} of client ${client} (${steps.join(', ')})`;
}
