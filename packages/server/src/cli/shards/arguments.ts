import { Buffer } from 'node:buffer';
import { callUnary, Nodes, type NodeInfo, type NodeInfoLabel } from '@flotilla/wire';
import { type Connected, usage } from './endpoint-options.ts';

/** A whole number, from `least` on. */
export function wholeNumber(what: string, text: string, least = 0): number {
  const value = Number(text);
  if (!/^[0-9]{1,15}$/.test(text) || value < least) {
    throw usage(`${what} ${JSON.stringify(text)}: must be a whole number from ${least} on`);
  }
  return value;
}

/** As in Go's strings: `\x00` is a byte, `\\` a backslash; `hex:00ff` is bytes. Everything else stands for itself. */
export function keyOf(text: string): Uint8Array {
  if (text.startsWith('hex:')) {
    const hex = text.slice('hex:'.length);
    if (!/^([0-9a-fA-F]{2})+$/.test(hex))
      throw usage(`key ${JSON.stringify(text)}: hex has two digits a byte`);
    return new Uint8Array(Buffer.from(hex, 'hex'));
  }
  const parts: Uint8Array[] = [];
  for (const [part] of text.matchAll(/\\x[0-9a-fA-F]{2}|\\\\|[^\\]+|\\/g)) {
    if (part === '\\')
      throw usage(`key ${JSON.stringify(text)}: a backslash stands before x and two digits, or another`);
    if (part === '\\\\') parts.push(Uint8Array.of(0x5c));
    else if (part.startsWith('\\x')) parts.push(Uint8Array.of(Number.parseInt(part.slice(2), 16)));
    else parts.push(Buffer.from(part, 'utf8'));
  }
  return new Uint8Array(Buffer.concat(parts));
}

export function labelsOf(texts: readonly string[]): readonly NodeInfoLabel[] {
  return texts.map((text) => {
    const at = text.indexOf('=');
    if (at <= 0) throw usage(`--label ${JSON.stringify(text)}: must be NAME=VALUE`);
    return { name: text.slice(0, at), value: text.slice(at + 1) };
  });
}

/** By its number, its name, or its member's id in hex. Numbers are taken as they are: one that joins is in no list yet. */
export async function nodeOf(cluster: Connected, text: string): Promise<number> {
  if (/^[0-9]{1,10}$/.test(text)) return Number(text);
  const { nodes } = await callUnary(cluster.channel, Nodes.methods.List, {}, cluster.call);
  const found = nodes.filter(
    (node) => node.name === text || node.memberId.toString(16) === text.toLowerCase(),
  );
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.node;
  const known = nodes.map(({ node, name }) => (name === '' ? String(node) : `${node} (${name})`)).join(', ');
  throw usage(
    `node ${JSON.stringify(text)}: ${found.length === 0 ? 'unknown' : 'not unique'}; there are ${known}`,
  );
}

export function namesOf(nodes: readonly NodeInfo[]): ReadonlyMap<number, string> {
  return new Map(nodes.map(({ node, name }) => [node, name]));
}
