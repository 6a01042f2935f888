import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { FlotillaError, messageOf } from '@flotilla/platform';
import { RpcError, Status } from '@flotilla/wire';
import { jwtVerify, SignJWT } from 'jose';
import type { SignedClaims, SignedTokens } from '../../auth/adapters.ts';
import type { JwtSettings } from '../../configuration/auth-settings.ts';

/**
 * Tokens that other servers and etcd's own members could verify: claims `username`, `revision` and `exp`, signed with
 * the configured algorithm and no other, whatever a token's header says.
 */
export function openJsonWebTokens(settings: JwtSettings): SignedTokens {
  const { signMethod: alg, lifetimeMs } = settings;
  const { signing, verifying } = keysOf(settings);
  return {
    async sign({ user, authRevision }) {
      if (signing === null) throw verifyOnly;
      return await new SignJWT({ username: user, revision: authRevision })
        .setProtectedHeader({ alg, typ: 'JWT' })
        .setExpirationTime(new Date(Date.now() + lifetimeMs))
        .sign(signing);
    },
    async verify(token): Promise<SignedClaims | null> {
      try {
        const { payload } = await jwtVerify(token, verifying, { algorithms: [alg] });
        const { username, revision, exp } = payload;
        if (typeof username !== 'string' || typeof revision !== 'number') return null;
        if (!Number.isSafeInteger(revision) || revision < 0) return null;
        // One without an end is as good as etcd takes it for.
        const expiresAtMs = exp === undefined ? Number.POSITIVE_INFINITY : exp * 1_000;
        return { user: username, authRevision: revision, expiresAtMs };
      } catch {
        return null;
      }
    },
  };
}

interface Keys {
  /** Null: the member can only verify. */
  readonly signing: KeyObject | Uint8Array | null;
  readonly verifying: KeyObject | Uint8Array;
}

const verifyOnly = new RpcError(Status.UNKNOWN, 'auth: token signing attempted with verify-only key');

/** The shared secret of HMAC is the private key's file, as in etcd. */
function keysOf({ signMethod, publicKeyFile, privateKeyFile }: JwtSettings): Keys {
  if (signMethod.startsWith('HS')) {
    const secret = privateKeyFile === '' ? new Uint8Array(0) : contentOf(privateKeyFile);
    if (secret.length === 0) throw invalid('auth: missing key data');
    return { signing: secret, verifying: secret };
  }
  const signing = privateKeyFile === '' ? null : parsed(privateKeyFile, createPrivateKey);
  const verifying = publicKeyFile === '' ? null : parsed(publicKeyFile, createPublicKey);
  for (const key of [signing, verifying]) if (key !== null) checkType(key, signMethod);
  if (signing === null) {
    if (verifying === null) throw invalid('auth: missing key data');
    return { signing, verifying };
  }
  const own = createPublicKey(signing);
  if (verifying !== null && !verifying.equals(own)) {
    throw invalid("auth: public and private keys don't match");
  }
  return { signing, verifying: own };
}

function checkType(key: KeyObject, signMethod: string): void {
  const expected = signMethod === 'EdDSA' ? 'ed25519' : signMethod.startsWith('ES') ? 'ec' : 'rsa';
  if (key.asymmetricKeyType !== expected) {
    throw invalid(`${signMethod} needs a key of type ${expected}, not ${key.asymmetricKeyType}`);
  }
}

function parsed(file: string, parse: (pem: Buffer) => KeyObject): KeyObject {
  try {
    return parse(contentOf(file));
  } catch (error) {
    throw invalid(`${file}: ${messageOf(error)}`);
  }
}

function contentOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw invalid(messageOf(error));
  }
}

function invalid(message: string): FlotillaError {
  return new FlotillaError('FLOTILLA_CONFIGURATION', `--auth-token: ${message}`);
}
