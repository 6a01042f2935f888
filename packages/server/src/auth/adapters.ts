/** What auth needs of the world beyond the platform. */
export interface AuthAdapters {
  readonly passwords: Passwords;
  /** Null: tokens are etcd's simple ones, which members keep. */
  readonly signedTokens: SignedTokens | null;
  /** The unguessable part of a simple token. */
  randomSecret(): string;
}

/** bcrypt, or what stands for it in a simulation. Takes long, and does it beside the event loop. */
export interface Passwords {
  /** As bcrypt writes it, with cost and salt. */
  hash(password: string): Promise<string>;
  verify(password: string, hash: string): Promise<boolean>;
}

/** What a signed token says. */
export interface SignedClaims {
  readonly user: string;
  /** Of the auth state by which the password was checked. */
  readonly authRevision: number;
  /** By the wall clock, as `Platform.wallClock`. */
  readonly expiresAtMs: number;
}

/** JSON Web Tokens: nobody keeps them, whoever has the key can tell that they are right. */
export interface SignedTokens {
  /** Rejects when the member has been given a public key only. */
  sign(claims: Omit<SignedClaims, 'expiresAtMs'>): Promise<string>;
  /** Null: it is not one of ours, or has expired. */
  verify(token: string): Promise<SignedClaims | null>;
}
