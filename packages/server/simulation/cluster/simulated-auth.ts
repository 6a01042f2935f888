import type { Platform } from '@flotilla/platform';
import type { AuthAdapters } from '../../src/auth/adapters.ts';

/** Stands for bcrypt, whose work a simulation has no time for, with a delay in which users can change. */
export function simulatedAuth(platform: Platform): AuthAdapters {
  const work = (): Promise<void> =>
    new Promise((resolve) => {
      platform.timer(hashingMs * platform.random.float(), 'password', resolve);
    });
  return {
    passwords: {
      async hash(password) {
        await work();
        return `hashed ${password}`;
      },
      async verify(password, hash) {
        await work();
        return hash === `hashed ${password}`;
      },
    },
    signedTokens: null,
    randomSecret: () => platform.random.u32().toString(36),
  };
}

const hashingMs = 60;
