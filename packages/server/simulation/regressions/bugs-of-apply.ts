import { deleteRange, prefixEnd, put, range } from '@flotilla/check';
import {
  Auth,
  AuthenticateRequest,
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  etcdErrors,
  KV,
  Maintenance,
  PermissionType,
  PutRequest,
  RangeRequest,
  RequestOp,
  RpcError,
  TxnRequest,
} from '@flotilla/wire';
import { bytesOf } from '../cluster/etcd-messages.ts';
import { BugLab, isOver } from './bug-lab.ts';
import type { EtcdBug } from './etcd-bugs.ts';

/** Bugs in how entries become state, and stay it over a crash. */
export const apply: readonly EtcdBug[] = [
  {
    issue: 13_766,
    name: 'Inconsistent revision caused by crash during high load',
    claim: 'what is stored is always the state after exactly the entry that it says',
    scenario: crashesUnderLoad,
  },
  {
    issue: 14_370,
    name: 'Single node cluster can lose a write on crash',
    claim: 'the only member answers a write when its log has it on the disk, and not before',
    scenario: crashesOfTheOnlyMember,
  },
  {
    issue: 14_571,
    name: 'Enabling auth can lead to inconsistency',
    claim: 'a member that learns of users and roles by a snapshot allows and refuses what the others do',
    scenario: authBySnapshot,
  },
  {
    issue: 14_685,
    name: 'Inconsistent revision caused by crash during defrag',
    claim: 'a crash while Defragment is asked for applies no entry twice',
    scenario: crashesDuringDefragment,
  },
  {
    issue: 18_667,
    name: 'Inconsistency when reading compacted revision in TXN',
    claim: 'a transaction that reads a compacted revision has no effect on any member, whoever was asked',
    scenario: compactedReadInTransaction,
  },
  {
    issue: 20_418,
    name: 'Stale reads caused by process pausing',
    claim: 'a leader that stood still answers no read by what it knew before',
    scenario: pausedLeaders,
  },
];

function crashesUnderLoad(seed: number): Promise<void> {
  return BugLab.run({ seed, commitDelayMs: 20, flushDelayMs: 30, world: { syncMaxMs: 1 } }, (lab) => {
    lab.load(4, 15, (client, count) =>
      count % 7 === 6
        ? deleteRange('k/', { rangeEnd: prefixEnd('k/') })
        : put(`k/${count % 5}`, `${client}.${count}`),
    );
    for (let round = 0; round < 5; round += 1) {
      lab.pass(60 + lab.draw(120, 'until a crash'));
      const victim = round % 3;
      lab.crash(victim);
      lab.pass(lab.draw(100, 'down'));
      lab.start(victim);
      lab.awaitCaughtUp(victim);
    }
  });
}

function crashesOfTheOnlyMember(seed: number): Promise<void> {
  // Syncs take longer than the way to the client: an answer that does not wait for them is there first.
  const world = { syncMinMs: 20, syncMaxMs: 40 };
  return BugLab.run({ seed, members: 1, world }, (lab) => {
    for (let round = 0; round < 12; round += 1) {
      const writes = [0, 1, 2].map((i) => lab.begin(put(`k/${round}.${i}`, 'v')));
      lab.until('the first answer', 5_000, () => writes.some(isOver));
      lab.crash(0);
      lab.start(0);
      lab.until('it leads', 10_000, () => lab.leader === 0);
      lab.request(range('k/', { rangeEnd: prefixEnd('k/') }));
    }
  });
}

function authBySnapshot(seed: number): Promise<void> {
  return BugLab.run({ seed, snapshotCount: 5 }, (lab) => {
    const late = lab.follower;
    lab.isolate(late);
    enableAuth(lab);
    const root = { metadata: { token: tokenOf(lab, 'root') } };
    lab.leaveBehind(late, (count) => {
      lab.call(Auth.methods.RoleAdd, { name: `role ${count}` }, root);
    });
    lab.heal();
    lab.awaitSnapshot(late);
    lab.awaitCaughtUp(late);
    // Refused by one member and taken by the others, a write would be at one revision more there.
    for (const restarts of [false, true]) {
      if (restarts) {
        lab.crash(late);
        lab.start(late);
        lab.awaitCaughtUp(late);
      }
      for (const member of [late, lab.leader]) {
        const token = tokenOf(lab, 'alice', member);
        const options = { member, metadata: { token } };
        const forbidden = PutRequest.create({ key: bytesOf('b/1'), value: bytesOf('alice') });
        const refused = refusalOf(() => lab.call(KV.methods.Put, forbidden, options));
        lab.expect(refused === etcdErrors.permissionDenied.message, `a forbidden write: ${refused}`);
        const done = lab.request(put('a/1', `${member}`), member, token);
        lab.expect(done !== null, 'alice may not write where she may');
      }
    }
    lab.call(Auth.methods.AuthDisable, {}, { metadata: { token: tokenOf(lab, 'root') } });
  });
}

function enableAuth(lab: BugLab): void {
  for (const name of ['root', 'alice']) {
    lab.call(Auth.methods.UserAdd, AuthUserAddRequest.create({ name, password: name }));
    lab.call(Auth.methods.RoleAdd, { name });
    lab.call(Auth.methods.UserGrantRole, { user: name, role: name });
  }
  const perm = { permType: PermissionType.READWRITE, key: bytesOf('a/'), rangeEnd: bytesOf('a0') };
  lab.call(Auth.methods.RoleGrantPermission, AuthRoleGrantPermissionRequest.create({ name: 'alice', perm }));
  lab.call(Auth.methods.AuthEnable, {});
}

function tokenOf(lab: BugLab, name: string, member = lab.leader): string {
  return lab.call(Auth.methods.Authenticate, AuthenticateRequest.create({ name, password: name }), { member })
    .token;
}

function crashesDuringDefragment(seed: number): Promise<void> {
  return BugLab.run({ seed, commitDelayMs: 10, flushDelayMs: 10, world: { syncMaxMs: 1 } }, (lab) => {
    lab.load(3, 15, (client, count) => put(`k/${count % 5}`, `${client}.${count}`));
    for (let round = 0; round < 5; round += 1) {
      lab.pass(80);
      const victim = round % 3;
      lab.beginCall(Maintenance.methods.Defragment, {}, { member: victim });
      lab.pass(lab.draw(10, 'into the defragmentation'));
      lab.crash(victim);
      lab.start(victim);
      lab.awaitCaughtUp(victim);
    }
  });
}

function compactedReadInTransaction(seed: number): Promise<void> {
  return BugLab.run({ seed, commitDelayMs: 20 }, (lab) => {
    const old = lab.put('k', '0');
    for (let i = 1; i < 10; i += 1) lab.put('k', String(i));
    const { revision } = lab.member(lab.leader).database;
    lab.request({ type: 'compact', revision: revision - 2 });
    const cases: readonly [number, string][] = [
      [old, etcdErrors.compacted.message],
      [revision + 1_000, etcdErrors.futureRevision.message],
    ];
    for (let member = 0; member < 3; member += 1) {
      lab.awaitCaughtUp(member);
      for (const [at, refusal] of cases) {
        for (const nested of [false, true]) {
          const txn = puttingAndReading(`x/${member}`, at, nested);
          const refused = refusalOf(() => lab.call(KV.methods.Txn, txn, { member }));
          lab.expect(refused === refusal, `a read at ${at} in a transaction was answered with ${refused}`);
        }
      }
    }
    for (let member = 0; member < 3; member += 1) {
      lab.awaitCaughtUp(member);
      const { database } = lab.member(member);
      lab.expect(
        database.revision === revision,
        `n${member + 1} is at ${database.revision}, not at ${revision}`,
      );
      const { count } = database.range(RangeRequest.create({ key: bytesOf('x/'), rangeEnd: bytesOf('x0') }));
      lab.expect(count === 0, `n${member + 1} has kept what a refused transaction has put`);
    }
    // Whether it is compacted when the transaction is applied is the same for all, wherever the two come from.
    for (let round = 0; round < 6; round += 1) {
      const head = lab.member(lab.leader).database.revision;
      const txn = puttingAndReading(`y/${round}`, head - 1, round % 2 === 0, 'k');
      const compact = lab.begin({ type: 'compact', revision: head }, round % 3);
      const raced = lab.beginCall(KV.methods.Txn, txn, { member: (round + 1) % 3 });
      lab.until('both are answered', 10_000, () => isOver(compact) && isOver(raced));
      lab.put('z', String(round));
    }
  });
}

/** Puts a key and reads another one at an old revision. With `kept` it changes nothing: it puts what is taken back. */
function puttingAndReading(key: string, revision: number, nested: boolean, kept?: string): TxnRequest {
  const operations = [
    ...(kept === undefined
      ? [
          RequestOp.create({
            request: {
              case: 'requestPut',
              value: PutRequest.create({ key: bytesOf(key), value: bytesOf('x') }),
            },
          }),
        ]
      : []),
    RequestOp.create({
      request: { case: 'requestRange', value: RangeRequest.create({ key: bytesOf(kept ?? 'k'), revision }) },
    }),
  ];
  const inner = TxnRequest.create({ success: operations });
  if (!nested) return inner;
  return TxnRequest.create({
    success: [RequestOp.create({ request: { case: 'requestTxn', value: inner } })],
  });
}

function refusalOf(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    if (error instanceof RpcError) return error.message;
    throw error;
  }
}

function pausedLeaders(seed: number): Promise<void> {
  return BugLab.run({ seed, world: { delayMaxMs: 5 } }, (lab) => {
    lab.load(6, 15, (client, count) =>
      client % 2 === 0 ? put(`k/${client % 4}`, `${client}.${count}`) : range(`k/${(client + count) % 4}`),
    );
    for (let round = 0; round < 3; round += 1) {
      lab.pass(200);
      const paused = lab.leader;
      // Their rounds are under way when it stops, and again when it goes on.
      const reads = [0, 1, 2].map((member) => lab.begin(range('k/0'), member));
      lab.nodes[paused]?.pause();
      lab.until('another leads', 10_000, () => lab.leader >= 0 && lab.leader !== paused);
      lab.put('k/0', `while ${round} stands still`);
      lab.nodes[paused]?.resume();
      lab.request(range('k/0'), paused);
      lab.until('reads are over', 12_000, () => reads.every(isOver));
    }
  });
}
