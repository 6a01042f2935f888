import { FlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { recoveryLimits } from './limits.ts';

/**
 * Copies the files of `directory` into a new directory under `parent`, durably, and answers its path. To go back: put
 * them in the place of the others, while no process holds them.
 */
export async function backUp(platform: Platform, directory: string, parent: string): Promise<string> {
  const { disk } = platform;
  const target = await freeName(platform, parent);
  await disk.makeDirectory(target);
  for (const name of await disk.list(directory)) {
    if (name.endsWith('.log')) await copy(platform, `${directory}/${name}`, `${target}/${name}`);
  }
  await disk.syncDirectory(target);
  await disk.syncDirectory(parent);
  return target;
}

async function freeName(platform: Platform, parent: string): Promise<string> {
  for (let number = 1; number <= recoveryLimits.backups; number += 1) {
    const path = `${parent}/before-recovery-${number}`;
    if (!(await platform.disk.exists(path))) return path;
  }
  throw new FlotillaError(
    'FLOTILLA_RECOVERY_REFUSED',
    `${parent} has ${recoveryLimits.backups} copies of earlier recoveries: move them away`,
  );
}

async function copy(platform: Platform, from: string, to: string): Promise<void> {
  const { disk } = platform;
  const source = await disk.open(from, 'read');
  const target = await disk.open(to, 'create');
  try {
    const size = source.size();
    await target.truncate(size);
    for (let at = 0; at < size; at += recoveryLimits.copyBytes) {
      const bytes = await source.read(at, recoveryLimits.copyBytes);
      // Segments are mostly zeros that were never written to.
      if (bytes.some((byte) => byte !== 0)) target.write(at, bytes);
    }
    await target.sync();
  } finally {
    await target.close();
    await source.close();
  }
}
