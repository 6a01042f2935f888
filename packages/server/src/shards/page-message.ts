import { decodePlain, encodePlain, type Page } from '@flotilla/store';
import { RangeResponse } from '@flotilla/wire';

/** Versions as the messages that they are in answers. */
export function encodePage({ kvs, visited, rest }: Page): Uint8Array {
  return encodePlain({ kvs: RangeResponse.encode(RangeResponse.create({ kvs })), visited, rest });
}

export function decodePage(bytes: Uint8Array): Page {
  const { kvs, visited, rest } = decodePlain<Omit<Page, 'kvs'> & { readonly kvs: Uint8Array }>(bytes);
  return { kvs: RangeResponse.decode(kvs).kvs, visited, rest };
}
