import type { Platform } from '@flotilla/platform';
import {
  type Access as KeyAccess,
  type Auth,
  type AuthKeeper,
  type Database,
  type Origin,
  type RequestUser,
  UserAccess,
} from '@flotilla/store';
import { etcdErrors, type RangeRequest, type ServerCall, type TxnRequest } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { AuthAdapters, SignedClaims } from './adapters.ts';
import { indexOfToken, SimpleTokens } from './simple-tokens.ts';
import { VerifiedTokens } from './verified-tokens.ts';

/** Who calls, as a token or a certificate says. */
export interface Caller extends RequestUser {
  /** Null: a certificate has said it. */
  readonly token: string | null;
}

export interface AccessParts {
  readonly platform: Platform;
  readonly database: Database;
  readonly adapters: AuthAdapters;
  readonly tokenLifetimeMs: number;
  /** Whether a client's certificate says who it is (`--client-cert-auth`). */
  readonly trustsCertificates: boolean;
  readonly readBarrier: () => Promise<void>;
  /** The keys that go with a lease: a promise where they are in many shards. */
  readonly keysOfLease: (id: bigint) => LeaseKeys;
}

type LeaseKeys = readonly Uint8Array[] | Promise<readonly Uint8Array[]>;

/**
 * Who calls, and whether it may: for everything that does not go through the log, where the state itself looks again.
 * All of it is as of this turn. So a check after the read barrier and a read in the same turn are of one state, and
 * need no second look at the auth revision.
 *
 * Calls have passed {@link Access.prepare} before any of this is asked.
 */
export class Access implements AuthKeeper {
  readonly verified: VerifiedTokens | null;
  readonly #parts: AccessParts;
  readonly #tokens: SimpleTokens;
  #revision: number;
  /** Turning auth on leaves the revision as it is. */
  #enabled: boolean;

  constructor(parts: AccessParts) {
    const { platform, adapters, database, tokenLifetimeMs } = parts;
    this.#parts = parts;
    this.#tokens = new SimpleTokens({
      now: () => platform.now(),
      lifetimeMs: tokenLifetimeMs,
      limit: limits.simpleTokens,
    });
    const { signedTokens } = adapters;
    this.verified =
      signedTokens === null ? null : new VerifiedTokens(signedTokens, () => platform.wallClock());
    this.#revision = database.auth.revision;
    this.#enabled = database.auth.enabled;
    database.keepAuth(this);
  }

  /** As of now: a snapshot puts another in its place. */
  get auth(): Auth {
    return this.#parts.database.auth;
  }

  /**
   * What has to be waited for before {@link Access.identify} can tell whose token a call has: a signature that was not
   * checked yet, or what other members know and this one does not. Null: nothing.
   *
   * Also while auth is off: that it was turned on, and a token given, may be what this member has not heard of.
   */
  prepare(call: ServerCall): Promise<void> | null {
    const token = tokenOf(call);
    if (token === null) return null;
    if (this.verified !== null) {
      const claims = this.verified.get(token);
      return claims === null || this.#isBehind(claims) ? this.#prepareSigned(token, this.verified) : null;
    }
    if (this.#tokens.has(token)) return null;
    const index = indexOfToken(token);
    // etcd waits for the index, however high it is. After a barrier this member knows every token that anybody was given.
    return index === null || index <= this.#parts.database.applied.index ? null : this.#parts.readBarrier();
  }

  /** Who calls; null: auth is off, or nobody has said. Throws what etcd answers to a token that is not valid. */
  identify(call: ServerCall): Caller | null {
    if (!this.auth.enabled) return null;
    const token = tokenOf(call);
    if (token !== null) {
      const caller = this.#byToken(token);
      if (caller === null) throw etcdErrors.invalidAuthToken;
      return caller;
    }
    // etcd takes no name from the certificate of whoever comes through the JSON gateway.
    if (!this.#parts.trustsCertificates || call.metadata['grpcgateway-accept'] !== undefined) return null;
    const { identity } = call.peer;
    if (identity === null) return null;
    return { name: identity.commonName, authRevision: this.auth.revision, token: null };
  }

  /**
   * A write was refused because users or roles had changed while it was on its way: the same origin by the present
   * state, to write again with. Null: it stays as it is, since a signed token says itself which state it is of.
   */
  renewed(origin: Origin): Origin | null {
    const { user } = origin;
    if (user === null || !isCaller(user) || user.authRevision >= this.auth.revision) return null;
    const again =
      user.token === null ? { ...user, authRevision: this.auth.revision } : this.#byToken(user.token);
    if (again === null || again.authRevision <= user.authRevision) return null;
    return { ...origin, user: again };
  }

  // Each throws etcd's refusal. Nothing is refused while auth is off.

  /** Whoever has proved to be anybody. */
  requireUser(call: ServerCall): void {
    if (this.auth.enabled && this.identify(call) === null) throw etcdErrors.userEmpty;
  }

  requireRoot(call: ServerCall): void {
    if (this.auth.enabled) this.auth.requireRoot(this.identify(call));
  }

  requireRange(call: ServerCall, { key, rangeEnd }: Pick<RangeRequest, 'key' | 'rangeEnd'>): void {
    if (this.auth.enabled) this.auth.requireAccess(this.identify(call), 'read', key, rangeEnd);
  }

  requireTxn(call: ServerCall, request: TxnRequest): void {
    if (this.auth.enabled) this.#of(call).txn(request);
  }

  /** To every key of a lease. A promise where it is not known at once which they are. */
  requireLease(call: ServerCall, access: KeyAccess, id: bigint): void | Promise<void> {
    if (!this.auth.enabled) return;
    const user = this.identify(call);
    if (user === null) throw etcdErrors.userEmpty;
    return this.#requireLease(user, access, id);
  }

  /** As etcd: to see which leases there are one must be allowed to read every key of each. */
  async requireLeases(call: ServerCall): Promise<void> {
    if (!this.auth.enabled) return;
    const user = this.identify(call);
    if (user === null) throw etcdErrors.userEmpty;
    if (this.auth.isRoot(user)) return;
    for (const { id } of this.#parts.database.leases.all()) await this.#requireLease(user, 'read', id);
  }

  /** Throws what etcd answers to a user who may not write all of these. */
  requireKeys(user: RequestUser, access: KeyAccess, keys: readonly Uint8Array[]): void {
    new UserAccess(this.auth, user, () => keys).lease(access, 0n);
  }

  // The database's side.

  tokenIssued(token: string, user: string): void {
    this.#tokens.issue(token, user);
  }

  credentialsChanged(user: string): void {
    this.#tokens.forgetUser(user);
  }

  changed(): void {
    if (!this.auth.enabled) this.#tokens.forgetAll();
    this.#revision = this.auth.revision;
    this.#enabled = this.auth.enabled;
    this.#parts.database.watches.review();
  }

  /** A snapshot does not say whose password was changed in what it has passed over. */
  restored(): void {
    if (this.auth.revision === this.#revision && this.auth.enabled === this.#enabled) return;
    this.#tokens.forgetAll();
    this.changed();
  }

  async #prepareSigned(token: string, verified: VerifiedTokens): Promise<void> {
    if (verified.get(token) === null) await verified.verify(token);
    const claims = verified.get(token);
    if (claims !== null && this.#isBehind(claims)) await this.#parts.readBarrier();
  }

  /** Whether a token is of a state that this member has not reached. Turning auth on leaves the revision as it is. */
  #isBehind({ authRevision }: SignedClaims): boolean {
    const { enabled, revision } = this.auth;
    return authRevision > revision || (authRevision === revision && !enabled);
  }

  #byToken(token: string): Caller | null {
    if (this.verified !== null) {
      const claims = this.verified.get(token);
      return claims === null ? null : { name: claims.user, authRevision: claims.authRevision, token };
    }
    const name = this.#tokens.use(token);
    return name === null ? null : { name, authRevision: this.auth.revision, token };
  }

  #requireLease(user: RequestUser, access: KeyAccess, id: bigint): void | Promise<void> {
    if (this.auth.isRoot(user)) return;
    const keys = this.#parts.keysOfLease(id);
    if (keys instanceof Promise) return keys.then((found) => this.requireKeys(user, access, found));
    this.requireKeys(user, access, keys);
  }

  #of(call: ServerCall): UserAccess {
    const user = this.identify(call);
    return new UserAccess(this.auth, user, (id) => this.#parts.database.leases.keysOf(id));
  }
}

function isCaller(user: RequestUser): user is Caller {
  return 'token' in user;
}

/** etcd's clients send `token`, those of the JSON gateway `Authorization`, with or without `Bearer`. */
function tokenOf({ metadata }: ServerCall): string | null {
  const token = metadata['token'] ?? metadata['authorization'];
  return token === undefined ? null : token.replace(/^Bearer /, '');
}
