import { Role, User } from '@flotilla/wire';
import { compareBytes, emptyBytes } from '../bytes.ts';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { bytesToText, textToBytes } from '../encoding/text.ts';
import { Namespace } from '../system/namespaces.ts';
import type { SystemTable } from '../system/system-table.ts';

/**
 * Users and roles as etcd keeps them (`authpb`), in the system table and on the heap: every request asks for them,
 * and there are few.
 */
export class AuthRecords {
  readonly #table: SystemTable;
  readonly #users = new Map<string, User>();
  readonly #roles = new Map<string, Role>();
  #summary: Summary;

  constructor(table: SystemTable) {
    this.#table = table;
    const summary = table.get(Namespace.AUTH, emptyBytes);
    this.#summary = summary === null ? unused : decodeSummary(summary);
    for (const cursor = table.scan(Namespace.USER); cursor.key !== null; cursor.advance()) {
      const user = User.decode(cursor.value);
      this.#users.set(bytesToText(user.name), user);
    }
    for (const cursor = table.scan(Namespace.ROLE); cursor.key !== null; cursor.advance()) {
      const role = Role.decode(cursor.value);
      this.#roles.set(bytesToText(role.name), role);
    }
  }

  get enabled(): boolean {
    return this.#summary.enabled;
  }

  /** Raised by every change of users and roles. */
  get revision(): number {
    return this.#summary.revision;
  }

  user(name: string): User | null {
    return this.#users.get(name) ?? null;
  }

  role(name: string): Role | null {
    return this.#roles.get(name) ?? null;
  }

  get userNames(): string[] {
    return sorted(this.#users);
  }

  get roleNames(): string[] {
    return sorted(this.#roles);
  }

  /** The revision moves with what is put or removed, by itself it does not. */
  setSummary(summary: Summary): void {
    this.#summary = summary;
    this.#table.set(Namespace.AUTH, emptyBytes, encodeSummary(summary));
  }

  putUser(name: string, user: User): void {
    this.#users.set(name, user);
    this.#table.set(Namespace.USER, user.name, User.encode(user));
  }

  removeUser(name: string): void {
    this.#users.delete(name);
    this.#table.set(Namespace.USER, textToBytes(name), null);
  }

  putRole(name: string, role: Role): void {
    this.#roles.set(name, role);
    this.#table.set(Namespace.ROLE, role.name, Role.encode(role));
  }

  removeRole(name: string): void {
    this.#roles.delete(name);
    this.#table.set(Namespace.ROLE, textToBytes(name), null);
  }
}

export interface Summary {
  readonly enabled: boolean;
  readonly revision: number;
}

/** etcd's first auth revision is 1. */
const unused: Summary = { enabled: false, revision: 1 };

function encodeSummary({ enabled, revision }: Summary): Uint8Array {
  const writer = new ByteWriter(16);
  writer.byte(enabled ? 1 : 0);
  writer.varint(revision);
  return writer.take();
}

function decodeSummary(bytes: Uint8Array): Summary {
  const reader = new ByteReader(bytes);
  return { enabled: reader.byte() === 1, revision: reader.varint() };
}

/** In the order of their bytes, as etcd lists them. */
function sorted(records: ReadonlyMap<string, unknown>): string[] {
  return [...records.keys()]
    .map((name) => ({ name, bytes: textToBytes(name) }))
    .sort((a, b) => compareBytes(a.bytes, b.bytes))
    .map(({ name }) => name);
}
