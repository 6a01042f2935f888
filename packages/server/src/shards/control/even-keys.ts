import { countPage, type OrderMachine } from '@flotilla/store';
import { bisectedKey } from './middle-key.ts';

/**
 * Keys to cut all keys into so many parts at: as the keys that there are say, where they say something, and evenly over the
 * first bytes of keys elsewhere.
 */
export function evenKeys({ own }: Pick<OrderMachine, 'own'>, parts: number): readonly Uint8Array[] {
  const { keys } = own.store;
  const from = new Uint8Array(0);
  const before = (to: Uint8Array): number => countPage(keys, { from, to }, keys.revision);
  return evenCuts(before, countPage(keys, { from, to: null }, keys.revision), parts);
}

export function evenCuts(
  before: (key: Uint8Array) => number,
  total: number,
  parts: number,
): readonly Uint8Array[] {
  const cuts: Uint8Array[] = [];
  if (total >= parts * leastKeysOfPart) {
    for (let part = 1; part < parts; part += 1) {
      const key = bisectedKey(before, total, Math.floor((total * part) / parts));
      if (key !== null) cuts.push(key);
    }
    if (new Set(cuts.map((key) => key.join())).size === parts - 1) return cuts;
  }
  return firstBytes(parts);
}

/** With fewer there is nothing to be learnt from them. */
const leastKeysOfPart = 8;

/** Most keys begin with a sign that can be printed: those share what there is, 0x20 to 0x7e. */
function firstBytes(parts: number): readonly Uint8Array[] {
  const signs = 0x7f - 0x20;
  return Array.from({ length: parts - 1 }, (_, i) => {
    const place = ((i + 1) * signs) / parts;
    const first = 0x20 + Math.floor(place);
    const second = Math.floor((place % 1) * 256);
    return second === 0 ? Uint8Array.of(first) : Uint8Array.of(first, second);
  });
}
