import { AlarmAction, type AlarmMember, AlarmRequest } from '@flotilla/wire';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { VirtualPlatform } from '../../../store/test/virtual-platform.ts';
import { limits } from '../limits.ts';
import { SpaceAlarm } from './space-alarm.ts';

const longMs = 10 * (limits.spaceClearAfterMs + limits.spaceCheckMs);

let platform: VirtualPlatform;
let alarms: AlarmMember[];
let liveBytes: number;
let diskBytes: number;
let reusableBytes: number;
let spared: boolean;
let looksItself: boolean;
/** Those that are there; the first one of them leads. */
let present: bigint[];
let members: Map<bigint, SpaceAlarm>;
let changes: string[];

/** Replicated at once. */
function apply(request: Uint8Array): Promise<void> {
  const { action, memberId, alarm } = AlarmRequest.decode(request);
  alarms = alarms.filter((each) => each.memberId !== memberId);
  if (action === AlarmAction.ACTIVATE) alarms = [...alarms, { alarm, memberId }];
  changes.push(`${action === AlarmAction.ACTIVATE ? 'raised' : 'lowered'} ${memberId}`);
  return Promise.resolve();
}

function member(id: bigint, quotaBytes: number): SpaceAlarm {
  return new SpaceAlarm(platform, {
    quotaBytes,
    get looksItself() {
      return looksItself;
    },
    liveBytes: () => liveBytes,
    diskBytes: () => Promise.resolve(diskBytes),
    reusableBytes: () => reusableBytes,
    spareDisk: (spare) => {
      spared = spare;
    },
    alarms: () => alarms,
    memberId: () => id,
    lowersFor: (other) =>
      present.includes(id) && (other === id || (present[0] === id && !present.includes(other))),
    propose: apply,
  });
}

beforeEach(() => {
  platform = new VirtualPlatform();
  alarms = [];
  changes = [];
  liveBytes = 0;
  diskBytes = Number.MAX_SAFE_INTEGER;
  reusableBytes = 0;
  spared = false;
  looksItself = false;
  present = [1n, 2n];
  members = new Map([
    [1n, member(1n, 1_000)],
    [2n, member(2n, 500)],
  ]);
});

afterEach(() => members.forEach((alarm) => alarm.stop()));

test('an alarm stays up as long as the member that raised it has no space, whatever the quota of the leader', async () => {
  liveBytes = 499;
  const small = members.get(2n) as SpaceAlarm;
  for (let i = 0; i < 5; i += 1) {
    // A write comes now and then.
    if (small.isFull(10)) await small.raise();
    await platform.advance(longMs);
  }
  expect(changes).toEqual(['raised 2']);
  liveBytes = 400;
  await platform.advance(longMs);
  expect(changes).toEqual(['raised 2', 'lowered 2']);
});

test('that of a member that is not there is lowered by the leader, when it has space itself', async () => {
  liveBytes = 990;
  await members.get(2n)?.raise();
  present = [1n];
  await platform.advance(longMs);
  expect(changes).toEqual(['raised 2']);
  liveBytes = 600;
  await platform.advance(longMs);
  expect(changes).toEqual(['raised 2', 'lowered 2']);
});

test('an alarm is lowered only after there was space for a while', async () => {
  liveBytes = 600;
  await members.get(2n)?.raise();
  for (let i = 0; i < 20; i += 1) {
    liveBytes = i % 2 === 0 ? 400 : 499;
    await platform.advance(limits.spaceCheckMs);
  }
  expect(changes).toEqual(['raised 2']);
});

test('before the disk is full nothing is added any more, until it has room or the state has pages to use again', async () => {
  const { diskReserveBytes, diskLogBytes } = limits;
  const one = members.get(1n) as SpaceAlarm;
  diskBytes = 2 * diskReserveBytes;
  await platform.advance(limits.spaceCheckMs);
  expect([one.isFull(1), spared, changes]).toEqual([false, false, []]);
  // By anybody's writes, and whoever may have filled it: nobody asks this member for anything.
  diskBytes = diskReserveBytes - 1;
  await platform.advance(limits.diskLowCheckMs);
  expect([one.isFull(1), spared]).toEqual([true, true]);
  expect(changes).toContain('raised 1');
  await platform.advance(longMs);
  expect(one.isFull(1)).toBe(true);
  // What was deleted is compacted away.
  reusableBytes = diskReserveBytes;
  await platform.advance(longMs);
  expect([one.isFull(1), alarms]).toEqual([false, []]);
  // But the log needs room of its own.
  diskBytes = diskLogBytes - 1;
  await platform.advance(longMs);
  expect(one.isFull(1)).toBe(true);
  diskBytes = Number.MAX_SAFE_INTEGER;
  await platform.advance(longMs);
  expect([one.isFull(1), spared, alarms]).toEqual([false, false, []]);
});

test('a member that stores what others are asked for raises it without being asked itself', async () => {
  liveBytes = 600;
  await platform.advance(longMs);
  expect(changes).toEqual([]);
  looksItself = true;
  await platform.advance(limits.spaceCheckMs);
  // The other one has room for more.
  expect(changes).toEqual(['raised 2']);
  liveBytes = 100;
  await platform.advance(longMs);
  expect(changes).toEqual(['raised 2', 'lowered 2']);
});
