import { describe, expect, it } from 'vitest';
import type { MembershipStep, NodeId } from '../core/types.ts';
import { formatAddress, parseAddress } from './address.ts';
import { encodeAddresses, MemberTable } from './member-table.ts';

const id = (value: number): NodeId => value as NodeId;
const nothing = new Uint8Array(0);
const remove = (value: number): MembershipStep => ({ operation: 'remove', id: id(value) });

describe('the table of members', () => {
  it('takes addresses from changes of membership, and the first word of a member about its data', () => {
    const table = new MemberTable();
    table.changed([], encodeAddresses(new Map([[id(4), parseAddress('[::1]:7000')]])));
    expect(table.published(id(4), parseAddress('other:1'), 77n)).toBe(true);
    expect(table.get(id(4))).toEqual({ address: { host: '::1', port: 7000 }, instance: 77n });
    expect(table.published(id(4), parseAddress('other:1'), 78n)).toBe(false);
    expect(table.published(id(4), parseAddress('other:1'), 77n)).toBe(true);
    table.changed([], encodeAddresses(new Map([[id(4), parseAddress('moved:7000')]])));
    expect(table.get(id(4))).toEqual({ address: { host: 'moved', port: 7000 }, instance: 77n });
  });

  it('keeps who leaves until the joint configuration is left', () => {
    const table = new MemberTable();
    table.published(id(1), parseAddress('a:1'), 1n);
    table.changed([remove(1)], nothing);
    expect(table.get(id(1))).not.toBeNull();
    table.changed([], nothing);
    expect(table.ids).toEqual([]);
  });

  it('is the same again behind a snapshot', () => {
    const table = new MemberTable();
    table.published(id(1), parseAddress('a:1'), (1n << 64n) - 1n);
    table.changed([remove(1)], encodeAddresses(new Map([[id(2), parseAddress('b:2')]])));
    const copy = new MemberTable();
    copy.published(id(7), parseAddress('gone:1'), 7n);
    copy.decode(table.encode());
    expect(copy.encode()).toEqual(table.encode());
    expect(copy.ids).toEqual([1, 2]);
    copy.changed([], nothing);
    expect(copy.ids).toEqual([2]);
  });

  it('of a newer version is refused', () => {
    const bytes = new MemberTable().encode();
    bytes[0] = 2;
    expect(() => new MemberTable().decode(bytes)).toThrow(/version 2/);
    const context = encodeAddresses(new Map());
    context[0] = 2;
    expect(() => new MemberTable().changed([], context)).toThrow(/version 2/);
  });
});

describe('an address', () => {
  it('is a host and a port, as people write them', () => {
    for (const text of ['127.0.0.1:7000', 'raft-1.example:1', '[2001:db8::1]:65535']) {
      expect(formatAddress(parseAddress(text))).toBe(text);
    }
    for (const text of ['', 'host', 'host:', ':1', '::1:7000', 'host:65536', 'http://host:1', 'a b:1']) {
      expect(() => parseAddress(text), text).toThrow(/is no address/);
    }
  });
});
