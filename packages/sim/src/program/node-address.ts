import type { SimNode } from '../sim-node.ts';
import type { World } from '../world.ts';

/** The address of a node in the network of the simulation. Programs compare and print addresses, not names. */
export function addressOf(node: SimNode): string {
  const number = node.index + 1;
  return `10.0.${number >> 8}.${number & 255}`;
}

/** The name of the node that has `address`; any other text as it is. */
export function nameOfAddress(world: World, address: string): string {
  const [, high, low] = /^(?:::ffff:)?10\.0\.(\d{1,3})\.(\d{1,3})$/.exec(address) ?? [];
  if (high === undefined || low === undefined) return address;
  const index = Number(high) * 256 + Number(low) - 1;
  for (const node of world.nodes.values()) if (node.index === index) return node.name;
  return address;
}

/** The address that `host` stands for at `from`, or null where no node has that name. */
export function lookUp(from: SimNode, host: string): string | null {
  const name = nameOfAddress(from.world, host);
  if (name === 'localhost' || name === '127.0.0.1' || name === '::1' || name === '0.0.0.0')
    return '127.0.0.1';
  const node = from.world.nodes.get(name);
  return node === undefined ? null : addressOf(node);
}
