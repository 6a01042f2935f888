import type { Random } from '@flotilla/platform';

export interface Partition {
  readonly name: string;
  /** `src dest` where `dest` does not hear `src`. */
  readonly cut: ReadonlySet<string>;
}

/** One node hears nobody, and nobody hears it. */
export function isolated(nodes: readonly string[], alone: string): Partition {
  return { name: `${alone} alone`, cut: cutWhere(nodes, (a, b) => (a === alone) !== (b === alone)) };
}

/** One of Jepsen's: a single node, two halves, or a ring in which each hears a majority and no two the same one. */
export function drawPartition(nodes: readonly string[], random: Random): Partition {
  const shuffled = shuffle(nodes, random);
  const kind = random.below(3);
  if (kind === 0) return isolated(nodes, shuffled[0] as string);
  if (kind === 1) {
    const side = new Set(shuffled.slice(0, Math.ceil(nodes.length / 2)));
    const cut = cutWhere(nodes, (a, b) => side.has(a) !== side.has(b));
    return { name: `${[...side].join(' ')} apart`, cut };
  }
  const majority = Math.floor(nodes.length / 2) + 1;
  const cut = cutWhere(shuffled, (a, b) => {
    const steps = (shuffled.indexOf(a) - shuffled.indexOf(b) + nodes.length) % nodes.length;
    return steps >= majority;
  });
  return { name: `ring ${shuffled.join(' ')}`, cut };
}

function cutWhere(
  nodes: readonly string[],
  isCut: (src: string, dest: string) => boolean,
): ReadonlySet<string> {
  return new Set(nodes.flatMap((a) => nodes.filter((b) => a !== b && isCut(a, b)).map((b) => `${a} ${b}`)));
}

function shuffle(nodes: readonly string[], random: Random): readonly string[] {
  const left = [...nodes];
  return nodes.map(() => left.splice(random.below(left.length), 1)[0] as string);
}
