import type { Event } from '@flotilla/wire';

/** What an event takes in a response: keys, values and the fields around them, a little generously. */
export function eventBytes(event: Event): number {
  let bytes = 16;
  if (event.kv !== null) bytes += event.kv.key.length + event.kv.value.length + 40;
  if (event.prevKv !== null) bytes += event.prevKv.key.length + event.prevKv.value.length + 40;
  return bytes;
}
