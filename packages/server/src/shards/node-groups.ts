/**
 * A label by which nodes are put together: where any node that has joined has it, each shard is on the nodes of one
 * group, all of it. So of few sets of nodes only the loss of a whole one loses data, and groups come and go as a whole.
 */
const groupLabel = 'group';

/** Null: the node is in none. */
export function groupOf(
  labels: Iterable<{ readonly name: string; readonly value: string } | string>,
): string | null {
  for (const label of labels) {
    const text = typeof label === 'string' ? label : `${label.name}=${label.value}`;
    if (text.startsWith(`${groupLabel}=`)) return text.slice(groupLabel.length + 1);
  }
  return null;
}
