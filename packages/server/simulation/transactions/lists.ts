import { spreadKeys } from './key-spread.ts';

/** The elements of these are one value, which every append replaces if it is as the client knows it. */
export const valueLists = spreadKeys(4, 'value-list/');
/** The elements of these are keys: nobody has to know any to append one, and they are in order of creation. */
export const keyLists = spreadKeys(4, 'key-list/').map((key) => `${key}/`);
