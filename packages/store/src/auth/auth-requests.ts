import { assert } from '@flotilla/platform';
import {
  AuthDisableRequest,
  AuthEnableRequest,
  AuthRoleAddRequest,
  AuthRoleDeleteRequest,
  AuthRoleGrantPermissionRequest,
  AuthRoleRevokePermissionRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGrantRoleRequest,
  AuthUserRevokeRoleRequest,
} from '@flotilla/wire';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { bytesToText, textToBytes } from '../encoding/text.ts';

/** The RPCs that change users and roles, each with the code by which the log knows it: never used for another. */
const changes = {
  AuthEnable: { code: 1, codec: AuthEnableRequest },
  AuthDisable: { code: 2, codec: AuthDisableRequest },
  UserAdd: { code: 3, codec: AuthUserAddRequest },
  UserDelete: { code: 4, codec: AuthUserDeleteRequest },
  UserChangePassword: { code: 5, codec: AuthUserChangePasswordRequest },
  UserGrantRole: { code: 6, codec: AuthUserGrantRoleRequest },
  UserRevokeRole: { code: 7, codec: AuthUserRevokeRoleRequest },
  RoleAdd: { code: 8, codec: AuthRoleAddRequest },
  RoleDelete: { code: 9, codec: AuthRoleDeleteRequest },
  RoleGrantPermission: { code: 10, codec: AuthRoleGrantPermissionRequest },
  RoleRevokePermission: { code: 11, codec: AuthRoleRevokePermissionRequest },
} as const;

export type AuthChangeKind = keyof typeof changes;

/** A change of users and roles: the RPC's name, and its request. Passwords are hashes already. */
export type AuthChange = {
  readonly [Kind in AuthChangeKind]: {
    readonly kind: Kind;
    readonly request: ReturnType<(typeof changes)[Kind]['codec']['decode']>;
  };
}[AuthChangeKind];

/** The request of an `auth` proposal. */
export function encodeAuthChange({ kind, request }: AuthChange): Uint8Array {
  const { code, codec } = changes[kind];
  const bytes = (codec.encode as (message: unknown) => Uint8Array)(request);
  const writer = new ByteWriter(bytes.length + 1);
  writer.byte(code);
  writer.bytes(bytes);
  return writer.take();
}

export function decodeAuthChange(bytes: Uint8Array): AuthChange {
  const reader = new ByteReader(bytes);
  const code = reader.byte();
  for (const [kind, change] of Object.entries(changes)) {
    if (change.code === code) return { kind, request: change.codec.decode(reader.rest()) } as AuthChange;
  }
  assert(false, 'a change of users and roles is one of those that are known');
}

/** What the log is told when a member has found a user's password to be right. */
export interface TokenRequest {
  readonly user: string;
  /** Of the state by which the password was checked. */
  readonly authRevision: number;
  /** Random, chosen by the member that asks; the entry's index makes it unique. */
  readonly secret: string;
}

/** The request of an `authenticate` proposal. */
export function encodeTokenRequest({ user, authRevision, secret }: TokenRequest): Uint8Array {
  const writer = new ByteWriter(256);
  writer.lengthPrefixed(textToBytes(user));
  writer.varint(authRevision);
  writer.lengthPrefixed(textToBytes(secret));
  return writer.take();
}

export function decodeTokenRequest(bytes: Uint8Array): TokenRequest {
  const reader = new ByteReader(bytes);
  return {
    user: bytesToText(reader.lengthPrefixed()),
    authRevision: reader.varint(),
    secret: bytesToText(reader.lengthPrefixed()),
  };
}
