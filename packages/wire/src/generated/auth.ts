// Written by scripts/generate.ts from the schemas in proto/. Change those, not this.
import { Codec, EMPTY_BYTES, EMPTY_LIST } from '../protobuf/codec.ts';
import type { Reader } from '../protobuf/reader.ts';
import type { Writer } from '../protobuf/writer.ts';

/** Open, as proto3's enums are: a value from a newer version is kept as its number. */
export type PermissionType = number;
export const PermissionType = {
  READ: 0,
  WRITE: 1,
  READWRITE: 2,
} as const;

export interface UserAddOptions {
  readonly noPassword: boolean;
}

export const UserAddOptions: Codec<UserAddOptions> = new Codec<UserAddOptions>(
  'authpb.UserAddOptions',
  createUserAddOptions,
  writeUserAddOptions,
  readUserAddOptions,
);

function createUserAddOptions(partial?: Partial<UserAddOptions>): UserAddOptions {
  return {
    noPassword: partial?.noPassword ?? false,
  };
}

function writeUserAddOptions(writer: Writer, message: UserAddOptions): void {
  if (message.noPassword) {
    writer.bool(message.noPassword);
    writer.varint32(8);
  }
}

function readUserAddOptions(reader: Reader, base: UserAddOptions): UserAddOptions {
  let noPassword = base.noPassword;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        noPassword = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    noPassword,
  };
}

export interface User {
  readonly name: Uint8Array;
  readonly password: Uint8Array;
  readonly roles: readonly string[];
  readonly options: UserAddOptions | null;
}

export const User: Codec<User> = new Codec<User>(
  'authpb.User',
  createUser,
  writeUser,
  readUser,
);

function createUser(partial?: Partial<User>): User {
  return {
    name: partial?.name ?? EMPTY_BYTES,
    password: partial?.password ?? EMPTY_BYTES,
    roles: partial?.roles ?? EMPTY_LIST,
    options: partial?.options ?? null,
  };
}

function writeUser(writer: Writer, message: User): void {
  if (message.options !== null) {
    const end = writer.size;
    UserAddOptions.write(writer, message.options);
    writer.varint32(writer.size - end);
    writer.varint32(34);
  }
  for (let index = message.roles.length - 1; index >= 0; index -= 1) {
    writer.string(message.roles[index] as string);
    writer.varint32(26);
  }
  if (message.password.length > 0) {
    writer.bytes(message.password);
    writer.varint32(18);
  }
  if (message.name.length > 0) {
    writer.bytes(message.name);
    writer.varint32(10);
  }
}

function readUser(reader: Reader, base: User): User {
  let name = base.name;
  let password = base.password;
  let roles: string[] | null = null;
  let options = base.options;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.bytes();
        break;
      case 18:
        password = reader.bytes();
        break;
      case 26:
        (roles ??= [...base.roles]).push(reader.string());
        break;
      case 34: {
        const outer = reader.enter();
        options = UserAddOptions.read(reader, options ?? UserAddOptions.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
    password,
    roles: roles ?? base.roles,
    options,
  };
}

export interface Permission {
  readonly permType: PermissionType;
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

export const Permission: Codec<Permission> = new Codec<Permission>(
  'authpb.Permission',
  createPermission,
  writePermission,
  readPermission,
);

function createPermission(partial?: Partial<Permission>): Permission {
  return {
    permType: partial?.permType ?? 0,
    key: partial?.key ?? EMPTY_BYTES,
    rangeEnd: partial?.rangeEnd ?? EMPTY_BYTES,
  };
}

function writePermission(writer: Writer, message: Permission): void {
  if (message.rangeEnd.length > 0) {
    writer.bytes(message.rangeEnd);
    writer.varint32(26);
  }
  if (message.key.length > 0) {
    writer.bytes(message.key);
    writer.varint32(18);
  }
  if (message.permType !== 0) {
    writer.int32(message.permType);
    writer.varint32(8);
  }
}

function readPermission(reader: Reader, base: Permission): Permission {
  let permType = base.permType;
  let key = base.key;
  let rangeEnd = base.rangeEnd;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        permType = reader.int32();
        break;
      case 18:
        key = reader.bytes();
        break;
      case 26:
        rangeEnd = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    permType,
    key,
    rangeEnd,
  };
}

export interface Role {
  readonly name: Uint8Array;
  readonly keyPermission: readonly Permission[];
}

export const Role: Codec<Role> = new Codec<Role>(
  'authpb.Role',
  createRole,
  writeRole,
  readRole,
);

function createRole(partial?: Partial<Role>): Role {
  return {
    name: partial?.name ?? EMPTY_BYTES,
    keyPermission: partial?.keyPermission ?? EMPTY_LIST,
  };
}

function writeRole(writer: Writer, message: Role): void {
  for (let index = message.keyPermission.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    Permission.write(writer, message.keyPermission[index] as Permission);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.name.length > 0) {
    writer.bytes(message.name);
    writer.varint32(10);
  }
}

function readRole(reader: Reader, base: Role): Role {
  let name = base.name;
  let keyPermission: Permission[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.bytes();
        break;
      case 18: {
        const outer = reader.enter();
        (keyPermission ??= [...base.keyPermission]).push(Permission.read(reader, Permission.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
    keyPermission: keyPermission ?? base.keyPermission,
  };
}
