import type { World } from '@flotilla/sim';
import type { RevisionEvents } from '@flotilla/check';
import type { WrittenHistory } from '../cluster/written-history.ts';
import type { ClientUser } from './client-user.ts';
import { watchesOf } from './client-watches.ts';

/** What must hold when all is over. Violations go to the world. */
export function judgeClients(world: World, written: WrittenHistory, users: readonly ClientUser[]): void {
  for (const [index, user] of users.entries()) watchedEverything(world, written, user, `c${index + 1}`);
  written.judgeWatches(users.flatMap(({ batches }, index) => watchesOf(`c${index + 1}`, batches)));
  const history = written.complete();
  if (history === null) return;
  world.coverage.count('client: whole history judged');
  writtenAsSaid(world, history, users);
  countedAsSaid(world, history, users);
  lockedByOne(world, history, users);
}

/** Every revision once, in order and whole, but for what the watch itself says is lost. */
function watchedEverything(world: World, written: WrittenHistory, user: ClientUser, name: string): void {
  const seen = new Map<number, string>();
  const lost: { readonly from: number; readonly to: number }[] = [];
  let last = 0;
  for (const batch of user.batches) {
    if (batch.revision < last || seen.has(batch.revision)) {
      world.violate('client watch', `${name} was told of ${batch.revision} after ${last}`);
    }
    last = batch.revision;
    if (batch.lost !== null) lost.push(batch.lost);
    if (batch.events.length === 0) continue;
    seen.set(batch.revision, batch.events.map(({ entry }) => `${entry.key}=${entry.text}`).join(' '));
  }
  for (let revision = 1; revision <= last; revision += 1) {
    const events = written.eventsAt(revision);
    if (events === null || lost.some(({ from, to }) => from <= revision && revision <= to)) continue;
    const wanted = puts({ revision, events }, 'p/').join(' ');
    const got = seen.get(revision) ?? '';
    if (wanted === got) continue;
    world.violate('client watch', `${name} got «${got}» at revision ${revision}, written was «${wanted}»`);
  }
}

/** A write that was acknowledged was done once; one that failed not at all, or once if nobody can know. */
function writtenAsSaid(world: World, history: readonly RevisionEvents[], users: readonly ClientUser[]): void {
  const times = new Map<string, number>();
  for (const revision of history) {
    for (const put of puts(revision, 'p/')) {
      const value = put.slice(put.indexOf('=') + 1);
      times.set(value, (times.get(value) ?? 0) + 1);
    }
  }
  for (const { value, outcome } of users.flatMap((user) => user.writes)) {
    const count = times.get(value) ?? 0;
    const allowed = { done: [1], 'not executed': [0], unknown: [0, 1] }[outcome];
    if (!allowed.includes(count))
      world.violate('client write', `${value} is ${outcome}, and was written ${count} times`);
  }
}

/** The counter was raised by one each time, as often as the clients say. */
function countedAsSaid(world: World, history: readonly RevisionEvents[], users: readonly ClientUser[]): void {
  let counter = 0;
  for (const revision of history) {
    for (const put of puts(revision, 'counter')) {
      counter += 1;
      if (put !== `counter=${counter}`) world.violate('client counter', `${put} came as number ${counter}`);
    }
  }
  const outcomes = users.flatMap((user) => user.increments);
  const done = outcomes.filter((outcome) => outcome === 'done').length;
  const unknown = outcomes.filter((outcome) => outcome === 'unknown').length;
  if (counter < done || counter > done + unknown) {
    world.violate(
      'client counter',
      `it is ${counter}, after ${done} increments and ${unknown} that may have been`,
    );
  }
}

/** Whoever has written under the lock had it: nobody with an older place has written after a newer one. */
function lockedByOne(world: World, history: readonly RevisionEvents[], users: readonly ClientUser[]): void {
  let newest = 0;
  for (const revision of history) {
    for (const put of puts(revision, 'guarded')) {
      const fence = Number(put.slice('guarded='.length));
      if (fence < newest) {
        world.violate(
          'client lock',
          `the holder of ${fence} wrote at ${revision.revision}, after that of ${newest}`,
        );
      }
      newest = fence;
    }
  }
  const holders = new Map<number, ClientUser>();
  for (const user of users) {
    for (const { fence } of user.guarded) {
      const other = holders.get(fence);
      if (other !== undefined && other !== user)
        world.violate('client lock', `two hold the lock of ${fence}`);
      holders.set(fence, user);
    }
  }
}

function puts({ events }: RevisionEvents, prefix: string): string[] {
  return events.flatMap((event) =>
    event.type === 'put' && event.kv.key.startsWith(prefix) ? [`${event.kv.key}=${event.kv.value}`] : [],
  );
}
