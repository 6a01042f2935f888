import {
  type NodeListResponse,
  type ShardExplainResponse,
  type ShardHistoryResponse,
  type ShardListResponse,
  type ShardQueryResponse,
  ShardReplicaRole,
} from '@flotilla/wire';
import { keyText } from '../../shards/control/key-text.ts';
import { bytesText, table } from './table.ts';

export function shardTable({ configuration, shards }: ShardListResponse): string {
  if (configuration === 0) return 'the cluster is not sharded: begin with `flotilla shard begin`';
  const titles = [
    'SHARD',
    'KEYS FROM',
    'TO',
    'VERSIONS',
    'NODES',
    'LEADER',
    'KEYS',
    'SIZE',
    'WRITES/S',
    'UNDER WAY',
  ];
  const rows = shards.map((shard) => [
    String(shard.shard),
    keyText(shard.start),
    shard.end.length === 0 ? 'the end' : keyText(shard.end),
    `${shard.rangeVersion}.${shard.membershipVersion}`,
    shard.replicas.map(replicaText).join(' '),
    shard.leader === 0 ? 'none' : String(shard.leader),
    String(shard.keys),
    bytesText(shard.sizeBytes),
    String(shard.writesPerSecond),
    shard.underWay,
  ]);
  return `${table(titles, rows)}\nconfiguration ${configuration}`;
}

/** A newcomer has a plus, who leaves a minus. */
function replicaText({
  node,
  role,
  leaving,
}: {
  readonly node: number;
  readonly role: ShardReplicaRole;
  readonly leaving: boolean;
}): string {
  if (leaving) return `-${node}`;
  return role === ShardReplicaRole.VOTER ? String(node) : `+${node}`;
}

export function nodeTable({ configuration, nodes }: NodeListResponse): string {
  if (configuration === 0) return 'the cluster is not sharded: begin with `flotilla shard begin`';
  const titles = [
    'NODE',
    'NAME',
    'MEMBER',
    'STATE',
    'HEARD OF',
    'ZONE',
    'LABELS',
    'SHARDS',
    'LEADERS',
    'SIZE',
  ];
  const rows = nodes.map((node) => [
    String(node.node),
    node.name,
    node.memberId.toString(16),
    node.leaving ? 'leaving' : node.state,
    node.live ? 'yes' : 'no',
    node.zone,
    node.labels.map(({ name, value }) => `${name}=${value}`).join(' '),
    String(node.replicas),
    String(node.leaders),
    bytesText(node.sizeBytes),
  ]);
  return `${table(titles, rows)}\nconfiguration ${configuration}`;
}

export function placeTable({ configuration, shards }: ShardQueryResponse): string {
  const rows = shards.map((shard) => [
    String(shard.shard),
    keyText(shard.start),
    shard.end.length === 0 ? 'the end' : keyText(shard.end),
    `${shard.rangeVersion}.${shard.membershipVersion}`,
    shard.nodes.join(' '),
  ]);
  const text = table(['SHARD', 'KEYS FROM', 'TO', 'VERSIONS', 'NODES'], rows);
  return `${text}\nconfiguration ${configuration}`;
}

export function historyTable({ configuration, oldest, changes }: ShardHistoryResponse): string {
  const rows = changes.map((change) => [
    String(change.configuration),
    String(change.revision),
    change.kind,
    change.text,
  ]);
  const text = table(['CONFIGURATION', 'AFTER REVISION', 'KIND', 'WHAT'], rows);
  return `${text}\nconfiguration ${configuration}; known from ${oldest} on`;
}

export function explanation(answer: ShardExplainResponse): string {
  const { shard, configuration, need, because, words, operation, candidates, alternatives } = answer;
  const lines = [`shard ${shard}: ${words} (${because}; need: ${need}; configuration ${configuration})`];
  if (operation !== '') lines.push(`decided: ${operation}`);
  const verdict = (refusal: string): string => (refusal === '' ? 'could take it' : refusal);
  for (const { node, refusal } of candidates) lines.push(`  node ${node}: ${verdict(refusal)}`);
  for (const { kind, dimension, from, because: why, words: text, candidates: others } of alternatives) {
    const what = [kind, from === 0 ? '' : `from node ${from}`, dimension === '' ? '' : `for ${dimension}`];
    lines.push(`not done: ${what.filter((part) => part !== '').join(' ')}: ${text} (${why})`);
    for (const { node, refusal } of others) lines.push(`    node ${node}: ${verdict(refusal)}`);
  }
  return lines.join('\n');
}
