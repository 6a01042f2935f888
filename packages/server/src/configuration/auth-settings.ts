import { FlotillaError } from '@flotilla/platform';
import { parseDuration } from './duration.ts';

/** Who has a token's word that it is one. */
export type AuthToken =
  /** Members do: they know the tokens that they gave. */
  | { readonly kind: 'simple' }
  /** Whoever has the key does: tokens are signed. */
  | ({ readonly kind: 'jwt' } & JwtSettings);

export interface JwtSettings {
  /** As in JSON Web Algorithms: RS256, ES256, HS256, EdDSA, … */
  readonly signMethod: string;
  /** Empty: not given. With a public key alone tokens are verified, and made elsewhere. */
  readonly publicKeyFile: string;
  readonly privateKeyFile: string;
  readonly lifetimeMs: number;
}

const defaultLifetimeMs = 300_000;
const defaultBcryptCost = 10;
/** bcrypt's own bounds. */
const leastBcryptCost = 4;
const mostBcryptCost = 31;

/** `simple`, or `jwt,sign-method=RS256,pub-key=FILE,priv-key=FILE,ttl=5m`: etcd's form, and its refusals. */
export function parseAuthToken(text: string): AuthToken {
  const [kind, ...parts] = text.split(',');
  const options = new Map<string, string>();
  for (const part of parts) {
    const pair = part.split('=');
    const [name, value] = pair as [string, string];
    if (pair.length !== 2 || options.has(name)) throw invalid(text);
    options.set(name, value);
  }
  if (kind === 'simple') return { kind };
  if (kind !== 'jwt') throw invalid(text);
  const signMethod = options.get('sign-method') ?? '';
  if (!signMethods.includes(signMethod)) throw invalid(text);
  const ttl = options.get('ttl') ?? '';
  return {
    kind,
    signMethod,
    publicKeyFile: options.get('pub-key') ?? '',
    privateKeyFile: options.get('priv-key') ?? '',
    lifetimeMs: ttl === '' ? defaultLifetimeMs : parseDuration(ttl),
  };
}

const signMethods = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'HS256',
  'HS384',
  'HS512',
  'EdDSA',
];

/** Of a simple token that is not used. 0 is etcd's default. */
export function tokenLifetimeMs(seconds: number): number {
  return seconds <= 0 ? defaultLifetimeMs : seconds * 1_000;
}

/** etcd takes its default where bcrypt could not take what is given. */
export function bcryptCost(given: number): number {
  return given < leastBcryptCost || given > mostBcryptCost ? defaultBcryptCost : given;
}

function invalid(text: string): FlotillaError {
  return new FlotillaError(
    'FLOTILLA_CONFIGURATION',
    `--auth-token ${JSON.stringify(text)}: auth: invalid auth options`,
  );
}
