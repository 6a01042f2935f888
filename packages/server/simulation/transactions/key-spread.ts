/** The first bytes of the keys of workloads. */
export const letters: readonly string[] = 'abcdefghijklmnopqrstuvwxyz'.split('');

/** `count` keys with the same ending, as far from each other in the key space as can be. */
export function spreadKeys(count: number, ending: string): readonly string[] {
  return Array.from({ length: count }, (_, i) => {
    const letter = letters[Math.floor((i * letters.length) / count)] as string;
    return `${letter}/${ending}${i}`;
  });
}

/** Where a key space with such keys can be split into `shards` parts: the first keys of all but the first part. */
export function splitKeys(shards: number): readonly string[] {
  return Array.from({ length: shards - 1 }, (_, i) => {
    const place = ((i + 1) * letters.length) / shards;
    const letter = letters[Math.floor(place)] as string;
    // Between two letters as well: shards may be narrower than a letter is wide.
    return Number.isInteger(place)
      ? letter
      : `${letter}/${letters[Math.floor((place % 1) * letters.length)]}`;
  });
}
