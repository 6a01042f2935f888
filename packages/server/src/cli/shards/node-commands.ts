import { callUnary, NodeChangeResponse, NodeListResponse, Nodes } from '@flotilla/wire';
import type { Command } from 'commander';
import { labelsOf, nodeOf } from './arguments.ts';
import { nodeTable } from './print.ts';
import { follow } from './progress.ts';
import {
  configurationOf,
  listOf,
  print,
  type ShardCommand,
  shardCommand,
  textOf,
  withConfiguration,
} from './shard-commands.ts';

const aNode = (command: Command): Command =>
  withConfiguration(command).argument('<node>', 'its number, its name or its member');

export const nodeCommands: readonly ShardCommand[] = [
  shardCommand(
    'node',
    'list',
    'list the nodes',
    (command) => command,
    () => ({}),
    async ({ channel, call }, request, format) => {
      print(NodeListResponse, await callUnary(channel, Nodes.methods.List, request, call), format, nodeTable);
    },
  ),
  shardCommand(
    'node',
    'join',
    'let a member have shards, or have them again',
    (command) =>
      aNode(command)
        .option('--zone <name>', 'nodes of one zone may be lost together', '')
        .option('--label <name=value...>', 'what placement may ask for', []),
    ([node = ''], options) => ({
      node,
      zone: textOf(options, 'zone'),
      labels: labelsOf(listOf(options, 'label')),
      configuration: configurationOf(options),
    }),
    async (cluster, { node, ...rest }, format) => {
      const request = { node: await nodeOf(cluster, node), ...rest };
      const response = await callUnary(cluster.channel, Nodes.methods.Join, request, cluster.call);
      print(NodeChangeResponse, response, format, () => `node ${request.node} has joined`);
    },
  ),
  shardCommand(
    'node',
    'leave',
    'move everything away from a node, which has no shards any more then',
    aNode,
    ([node = ''], options) => ({ node, configuration: configurationOf(options) }),
    async (cluster, { node, configuration }, format) => {
      const request = { node: await nodeOf(cluster, node), configuration };
      await follow(cluster, Nodes.methods.Leave, request, format);
    },
  ),
  shardCommand(
    'node',
    'drain',
    'move everything away from a node, until it joins again',
    aNode,
    ([node = ''], options) => ({ node, configuration: configurationOf(options) }),
    async (cluster, { node, configuration }, format) => {
      const request = { node: await nodeOf(cluster, node), configuration };
      await follow(cluster, Nodes.methods.Drain, request, format);
    },
  ),
];
