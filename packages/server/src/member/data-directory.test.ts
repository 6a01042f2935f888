import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlotillaError, isFlotillaError, type Logger } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import type { NodeId } from '@flotilla/raft';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { configure } from '../configuration/configuration.ts';
import { type Invitation, type KnownMember, openDataDirectory } from './data-directory.ts';

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const platform = nodePlatform({
  nodeName: 'test',
  logger: silent,
  onFatal: (error) => {
    throw error;
  },
});
let parent = '';

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
});

afterEach(() => {
  rmSync(parent, { recursive: true, force: true });
});

const threeMembers = 'n1=http://127.0.0.1:1,n2=http://127.0.0.1:2,n3=http://127.0.0.1:3';

function configuration(settings: Record<string, string> = {}) {
  return configure(
    new Map(
      Object.entries({
        name: 'n1',
        'data-dir': join(parent, 'data'),
        'initial-advertise-peer-urls': 'http://127.0.0.1:1',
        'initial-cluster': threeMembers,
        ...settings,
      }),
    ),
  );
}

function noInvitation(): Promise<Invitation> {
  return Promise.reject(new FlotillaError('FLOTILLA_JOIN_FAILED', 'nobody was to be asked'));
}

async function codeOf(settings: Record<string, string>): Promise<string> {
  try {
    const opened = await openDataDirectory(platform, configuration(settings), noInvitation);
    await opened.release();
    return 'opened';
  } catch (error) {
    if (isFlotillaError(error)) return error.code;
    throw error;
  }
}

test('a new directory gets the identity of the cluster, an old one keeps it', async () => {
  const first = await openDataDirectory(platform, configuration(), noInvitation);
  expect(first.self).toMatchObject({ name: 'n1', nodeId: 1 });
  expect(first.identity.members).toHaveLength(3);
  await first.release();
  const second = await openDataDirectory(platform, configuration(), noInvitation);
  expect(second.identity).toEqual(first.identity);
  await second.release();
});

test('at a restart the cluster need not be named', async () => {
  expect(await codeOf({})).toBe('opened');
  expect(await codeOf({ 'initial-cluster': '' })).toBe('opened');
});

test('a directory is held by one member at a time', async () => {
  const opened = await openDataDirectory(platform, configuration(), noInvitation);
  expect(await codeOf({})).toBe('FLOTILLA_DISK_LOCKED');
  await opened.release();
  expect(await codeOf({})).toBe('opened');
});

test("another member's, cluster's or program's data is refused and left alone", async () => {
  expect(await codeOf({})).toBe('opened');
  const before = readFileSync(join(parent, 'data', 'cluster.json'), 'utf8');
  const second = { name: 'n2', 'initial-advertise-peer-urls': 'http://127.0.0.1:2' };
  expect(await codeOf(second)).toBe('FLOTILLA_FOREIGN_DATA');
  expect(await codeOf({ 'initial-cluster-token': 'other' })).toBe('FLOTILLA_FOREIGN_DATA');
  expect(await codeOf({ 'initial-cluster': 'n1=http://127.0.0.1:1' })).toBe('FLOTILLA_PEER_SET_CHANGED');
  expect(readFileSync(join(parent, 'data', 'cluster.json'), 'utf8')).toBe(before);
  mkdirSync(join(parent, 'etcd', 'member', 'wal'), { recursive: true });
  expect(await codeOf({ 'data-dir': join(parent, 'etcd') })).toBe('FLOTILLA_FOREIGN_DATA');
});

test('a lost or damaged identity is an error, never a new identity', async () => {
  expect(await codeOf({})).toBe('opened');
  const path = join(parent, 'data', 'cluster.json');
  writeFileSync(path, '{"format":1,');
  expect(await codeOf({})).toBe('FLOTILLA_DATA_DAMAGED');
  writeFileSync(path, '{"format":1}');
  expect(await codeOf({})).toBe('FLOTILLA_DATA_DAMAGED');
  writeFileSync(path, '{"format":99}');
  expect(await codeOf({})).toBe('FLOTILLA_DATA_TOO_NEW');
  rmSync(path);
  expect(await codeOf({})).toBe('FLOTILLA_DATA_DAMAGED');
});

test('a half-written identity of a first start is written again', async () => {
  mkdirSync(join(parent, 'data'));
  writeFileSync(join(parent, 'data', 'cluster.json.new'), '{"form');
  expect(await codeOf({})).toBe('opened');
  expect(existsSync(join(parent, 'data', 'cluster.json.new'))).toBe(false);
});

test('a directory that cannot be made or written is one clear error', async () => {
  writeFileSync(join(parent, 'file'), '');
  expect(await codeOf({ 'data-dir': join(parent, 'file', 'data') })).toBe('FLOTILLA_DATA_DIRECTORY');
  expect(await codeOf({ 'data-dir': join(parent, 'file') })).toBe('FLOTILLA_DATA_DIRECTORY');
  // The superuser may write everywhere.
  if (process.getuid?.() === 0) return;
  mkdirSync(join(parent, 'closed'));
  chmodSync(join(parent, 'closed'), 0o500);
  expect(await codeOf({ 'data-dir': join(parent, 'closed', 'data') })).toBe('FLOTILLA_DATA_DIRECTORY');
});

test('a member that is to join a cluster asks for its place once', async () => {
  expect(await codeOf({ 'initial-cluster-state': 'existing' })).toBe('FLOTILLA_JOIN_FAILED');
  expect(await codeOf({})).toBe('opened');
  expect(await codeOf({ 'initial-cluster-state': 'existing' })).toBe('opened');
});

test('one that was invited keeps its place, and whom it has heard of since', async () => {
  const member = (nodeId: number, name: string): KnownMember => ({
    nodeId: nodeId as NodeId,
    memberId: BigInt(nodeId) << 60n,
    name,
    peerUrls: [`http://127.0.0.1:${nodeId}`],
    isLearner: nodeId === 9,
    level: 2,
  });
  const known = member(9, 'n1');
  const { isLearner: _, level: __, ...self } = known;
  const invitation: Invitation = {
    identity: { clusterId: 0xfedcn, token: 'etcd-cluster', members: [] },
    self,
    known: { changedAt: 7, members: [member(4, 'n4'), known] },
  };
  const settings = configuration({ 'initial-cluster-state': 'existing' });
  const first = await openDataDirectory(platform, settings, () => Promise.resolve(invitation));
  expect(first.lastKnown).toEqual(invitation.known);
  const later = { changedAt: 8, members: [member(5, ''), known] };
  first.remember({ changedAt: 8, members: [] });
  first.remember(later);
  await first.release();
  const second = await openDataDirectory(platform, configuration(), noInvitation);
  expect(second).toMatchObject({ self, lastKnown: later, instance: first.instance });
  expect(second.identity).toEqual(invitation.identity);
  await second.release();
});
