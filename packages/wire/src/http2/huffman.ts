/**
 * HPACK's Huffman code (RFC 7541, appendix B). The code is canonical: sorted by length and then by symbol, each code
 * is its predecessor plus one, so the lengths say all.
 */
const LENGTHS = [
  // 0–31: control characters
  [13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28],
  [28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  // space to ?
  [6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6],
  [5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10],
  // @ to _
  [13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
  [7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  // ` to DEL
  [15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5],
  [6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28],
  // 128–255
  [20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23],
  [24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24],
  [22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23],
  [21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23],
  [26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25],
  [19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27],
  [20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23],
  [26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26],
  // the end of the string
  [30],
].flat();

const END_OF_STRING = 256;

/**
 * The code as a binary tree: at `2 * node + bit` the next node, or `LEAF` plus a symbol. 0: no such code; the root is
 * nobody's child.
 */
const tree = buildTree();
const LEAF = 0x1000;

function buildTree(): Int16Array {
  const symbols = LENGTHS.map((_, symbol) => symbol).sort(
    (a, b) => (LENGTHS[a] as number) - (LENGTHS[b] as number) || a - b,
  );
  const nodes = new Int16Array(2 * 512);
  let used = 1;
  let code = 0;
  let previous = LENGTHS[symbols[0] as number] as number;
  for (const symbol of symbols) {
    const length = LENGTHS[symbol] as number;
    code *= 2 ** (length - previous);
    previous = length;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit -= 1) {
      const slot = 2 * node + (Math.floor(code / 2 ** bit) & 1);
      if (nodes[slot] === 0) {
        nodes[slot] = used;
        used += 1;
      }
      node = nodes[slot] as number;
    }
    nodes[2 * node + (code & 1)] = 0x1000 + symbol;
    code += 1;
  }
  return nodes;
}

/** Each byte as one character; null: not a string of the code. */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | null {
  let text = '';
  let node = 0;
  /** Bits since the last symbol, and whether all of them were ones. */
  let pending = 0;
  let allOnes = true;
  for (let position = start; position < end; position += 1) {
    const byte = bytes[position] as number;
    for (let shift = 7; shift >= 0; shift -= 1) {
      const bit = (byte >> shift) & 1;
      const next = tree[2 * node + bit] as number;
      if (next >= LEAF) {
        if (next === LEAF + END_OF_STRING) return null;
        text += String.fromCharCode(next - LEAF);
        node = 0;
        pending = 0;
        allOnes = true;
      } else {
        node = next;
        pending += 1;
        allOnes &&= bit === 1;
      }
    }
  }
  // What fills the last byte is the start of the end-of-string code: ones, and less than a byte of them.
  return pending < 8 && allOnes ? text : null;
}

/** How many bits a symbol takes. */
export function huffmanLength(symbol: number): number {
  return LENGTHS[symbol] ?? 0;
}
