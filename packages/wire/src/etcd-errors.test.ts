import { expect, test } from 'vitest';
import { etcdErrors } from './etcd-errors.ts';
import { RpcError } from './rpc-error.ts';
import { Status } from './status.ts';

test('every error of etcd has its prefix, and no text is there twice', () => {
  const errors = Object.values(etcdErrors);
  const texts = errors.map((error) => error.message);
  expect(new Set(texts).size).toBe(texts.length);
  for (const error of errors) {
    expect(error).toBeInstanceOf(RpcError);
    expect(error.message).toMatch(/^etcdserver: [a-zP]/);
    expect(error.status).not.toBe(Status.OK);
    expect(error.code).toMatch(/^FLOTILLA_RPC_[A-Z_]+$/);
  }
});

test('clients find the texts that they match on', () => {
  expect(etcdErrors.compacted).toMatchObject({
    status: Status.OUT_OF_RANGE,
    message: 'etcdserver: mvcc: required revision has been compacted',
  });
  expect(etcdErrors.noLeader).toMatchObject({ status: Status.UNAVAILABLE, message: 'etcdserver: no leader' });
  expect(etcdErrors.requestTooLarge).toMatchObject({
    status: Status.INVALID_ARGUMENT,
    message: 'etcdserver: request is too large',
  });
});
