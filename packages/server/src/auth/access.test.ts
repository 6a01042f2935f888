import { emptyConfiguration } from '@flotilla/raft';
import { type AuthChange, encodeAuthChange } from '@flotilla/store';
import {
  AuthEnableRequest,
  AuthRoleAddRequest,
  AuthUserAddRequest,
  AuthUserGrantRoleRequest,
  WatchCreateRequest,
  type WatchResponse,
} from '@flotilla/wire';
import { expect, test } from 'vitest';
import { Harness } from '../../../store/test/harness.ts';
import { Access } from './access.ts';

/** A user root, but nobody has to be anybody so far. */
async function opened(): Promise<Harness> {
  const harness = await Harness.open();
  const options = { noPassword: true };
  change(harness, { kind: 'UserAdd', request: AuthUserAddRequest.create({ name: 'root', options }) });
  change(harness, { kind: 'RoleAdd', request: AuthRoleAddRequest.create({ name: 'root' }) });
  const request = AuthUserGrantRoleRequest.create({ user: 'root', role: 'root' });
  change(harness, { kind: 'UserGrantRole', request });
  return harness;
}

function change(harness: Harness, change: AuthChange): void {
  harness.propose('auth', encodeAuthChange(change));
}

test('a member that hears by a snapshot that auth was turned on ends the watches of nobody', async () => {
  const [ahead, behind] = [await opened(), await opened()];
  const access = new Access({
    platform: behind.platform,
    database: behind.database,
    adapters: {
      passwords: { hash: () => Promise.resolve(''), verify: () => Promise.resolve(false) },
      signedTokens: null,
      randomSecret: () => '',
    },
    tokenLifetimeMs: 60_000,
    trustsCertificates: false,
    readBarrier: () => Promise.resolve(),
    keysOfLease: (id) => behind.database.leases.keysOf(id),
  });
  const heard: WatchResponse[] = [];
  const stream = behind.database.watches.open({
    gate: {
      admit: () => (access.auth.enabled ? 'who is there?' : null),
      review: () => (access.auth.enabled ? 'who is there?' : null),
    },
    send: (response) => heard.push(response) > 0,
  });
  stream.create(WatchCreateRequest.create({ key: Uint8Array.of(1) }));
  change(ahead, { kind: 'AuthEnable', request: AuthEnableRequest.create() });
  expect(ahead.database.auth.revision).toBe(behind.database.auth.revision);
  const source = ahead.database.snapshot();
  const meta = { index: source.index, term: source.term, configuration: emptyConfiguration };
  const copied = (async () => {
    const sink = await behind.database.install(meta);
    for await (const chunk of source.chunks()) await sink.write(chunk);
    await sink.finish();
  })();
  for (let i = 0; i < 10; i += 1) {
    await ahead.rest();
    await behind.rest();
  }
  await copied;
  expect(access.auth.enabled).toBe(true);
  expect(heard.at(-1)).toMatchObject({ canceled: true, cancelReason: 'who is there?' });
});
