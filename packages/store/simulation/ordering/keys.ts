import { textToBytes } from '../../src/encoding/text.ts';

/** Few, so that requests meet. */
export const keys: readonly Uint8Array[] = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(textToBytes);

/** Beyond the last one. */
export const end: Uint8Array = textToBytes('i');
