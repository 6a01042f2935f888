import type { Mutation } from '../../../scripts/mutations/mutation.ts';

const log = 'packages/raft/src/log';
const scenario = 'packages/raft/simulation/log.ts';

/** What can go wrong between a log and its disk. */
export const mutations: readonly Mutation[] = [
  {
    number: 2,
    name: 'a vote rides with the next batch',
    description:
      'A write of term and vote alone is acknowledged before it is synced, as a commit index may be: after a crash the member votes again.',
    file: `${log}/segmented-log.ts`,
    find: 'return write.mustSync || write.entries.length > 0',
    replace: 'return write.entries.length > 0',
    scenario,
    seeds: 200,
  },
  {
    number: 12,
    name: 'acknowledged before the sync',
    description:
      'An append resolves when it is written and not when it is durable: a quorum counts what a crash takes.',
    file: `${log}/segmented-log.ts`,
    find: '    await file.sync();\n    this.#lastBatchAt',
    replace: '    void file.sync().catch(() => undefined);\n    this.#lastBatchAt',
    scenario,
    seeds: 200,
  },
  {
    number: 26,
    name: 'checksum not looked at',
    description: 'A torn record is taken for a whole one: entries come back with bytes that nobody wrote.',
    file: `${log}/record-header.ts`,
    find: 'platform.checksum(bytes.subarray(at + checkedFrom, end), seed) === header.checksum',
    replace: 'header.checksum !== -1 - seed',
    scenario,
    seeds: 200,
  },
  {
    number: 26,
    name: 'valid suffix after a hole replayed',
    description:
      'Recovery skips what is not whole and goes on behind it: entries come back without those before them.',
    file: `${log}/scan.ts`,
    find: '    if (!isIntact(platform, segment.checksum, header, window.bytes, at)) break;\n    broken = previous !== null && header.previous !== previous;',
    replace:
      '    if (!isIntact(platform, segment.checksum, header, window.bytes, at)) {\n      end += size;\n      continue;\n    }',
    scenario,
    seeds: 200,
  },
  {
    number: 26,
    name: 'damage taken for a torn tail',
    description:
      'A hole is cut off together with everything behind it, though what was there had been acknowledged.',
    file: `${log}/recovery.ts`,
    find: 'if (remainder.witness !== null)',
    replace: 'if (remainder.witness === -1)',
    scenario,
    seeds: 200,
  },
  {
    number: 26,
    name: 'mark not looked at',
    description: 'The last sectors of an idle log are gone, and it begins again where they began.',
    file: `${log}/recovery.ts`,
    find: 'if (mark > chain.end)',
    replace: 'if (mark === -1)',
    scenario,
    seeds: 200,
  },
  {
    number: 26,
    name: 'torn opening kept',
    description:
      'A segment that lost some of its checkpoints is written on: when the segments before it go, so do these groups.',
    file: `${log}/recovery.ts`,
    find: 'chain.end > firstRecordPosition && replayed.openingIsWhole',
    replace: 'chain.end > firstRecordPosition',
    scenario,
    seeds: 400,
  },
  {
    number: 27,
    name: 'failed sync tried again',
    description: 'The kernel forgets what it could not write: the second sync succeeds and says nothing.',
    file: `${log}/segmented-log.ts`,
    find: '    await file.sync();\n    this.#lastBatchAt',
    replace: '    await file.sync().catch(() => file.sync());\n    this.#lastBatchAt',
    scenario,
    seeds: 200,
  },
  {
    number: 27,
    name: 'log used on after a failed sync',
    description:
      'The failed batch is refused, and the next one is written behind it as if nothing had happened.',
    file: `${log}/segmented-log.ts`,
    find: "    this.#failure = new FlotillaError('FLOTILLA_LOG_FAILED', message, { cause });",
    replace:
      "    const failure = new FlotillaError('FLOTILLA_LOG_FAILED', message, { cause });\n    for (const request of this.#inFlight) request.reject(failure);\n    this.#inFlight = [];\n    if (this.#failure === null) return;",
    scenario,
    seeds: 200,
  },
  {
    number: 28,
    name: 'segment renamed without a directory sync',
    description:
      'A crash takes the name of a segment back, and with it every record that was acknowledged there.',
    file: `${log}/segment.ts`,
    find: '  await disk.rename(temporary, path);\n  await disk.syncDirectory(directory);',
    replace: '  await disk.rename(temporary, path);',
    scenario,
    seeds: 200,
  },
  {
    number: 28,
    name: 'segment used before its seal is synced',
    description:
      'The segment before does not say that there is a next one: a crash in between makes the two contradict.',
    file: `${log}/segmented-log.ts`,
    find: '    this.#batch.seal();\n    await this.#writeBatch();',
    replace:
      '    this.#batch.seal();\n    this.#tail.file.write(this.#position, this.#batch.bytes);\n    this.#previous = this.#batch.previous;',
    scenario,
    seeds: 200,
  },
];
