import { describe, expect, test } from 'vitest';
import { configure } from '../configuration/configuration.ts';
import { servingFields, startingFields } from './starting.ts';

describe('the lines of the log that etcd has, too', () => {
  test('every setting is there as it is in force', () => {
    const fields = startingFields(new Map([['snapshot-catchup-entries', '1000']]));
    expect(fields).toMatchObject({
      'etcd-version': '3.7.0',
      'snapshot-catchup-entries': 1000,
      'snapshot-count': 10_000,
      'v2-deprecation': 'write-only',
      'strict-reconfig-check': true,
    });
    expect(Object.keys(fields).filter((name) => name.includes('password'))).toEqual([]);
  });

  test('each address says what is served there', () => {
    const configuration = configure(
      new Map([
        ['listen-client-urls', 'http://127.0.0.1:1,unix:///tmp/a.sock'],
        ['advertise-client-urls', 'http://127.0.0.1:1'],
        ['listen-client-http-urls', 'http://127.0.0.1:2'],
      ]),
    );
    expect(servingFields(configuration)).toEqual([
      { traffic: 'grpc', address: '127.0.0.1:1', secure: false, cleartext: true },
      { traffic: 'grpc', address: '/tmp/a.sock', secure: false, cleartext: true },
      { traffic: 'http', address: '127.0.0.1:2', secure: false, cleartext: true },
    ]);
  });
});
