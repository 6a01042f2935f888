import type { AuthAdapters } from '../../auth/adapters.ts';
import type { Configuration } from '../../configuration/configuration.ts';
import { bcryptPasswords, randomSecret } from './bcrypt.ts';

/** What auth needs of Node.js. Rejects when keys cannot be read or do not fit. */
export async function nodeAuth({ authToken, bcryptCost }: Configuration): Promise<AuthAdapters> {
  const signedTokens =
    authToken.kind === 'simple' ? null : (await import('./json-web-tokens.ts')).openJsonWebTokens(authToken);
  return { passwords: bcryptPasswords(bcryptCost), signedTokens, randomSecret };
}
