import { configurationOf } from '../src/core/configuration.ts';
import { FlotillaError, type Platform } from '@flotilla/platform';
import { fromEventLoop, generatedTape, World } from '@flotilla/sim';
import type { Entry, EntryKind, GroupId, HardState, Index, LogRecord, NodeId, Term } from '@flotilla/raft';
import type { LogLimits, LogOptions, SnapshotMeta, Write, WriteSequence } from '@flotilla/raft';

/** Content of the files in a log's directory, by name. */
export type Files = ReadonlyMap<string, Uint8Array>;

export const directory = 'data/log';

export const smallLimits: Partial<LogLimits> = { segmentBytes: 4096, totalBytes: 65536, chunkBytes: 1024 };

export const options: LogOptions = { directory, clusterId: 7n, nodeId: 1 as NodeId, limits: smallLimits };

export interface Outcome<T> {
  readonly result: T | null;
  readonly error: FlotillaError | null;
  /** As they are afterwards. */
  readonly files: Files;
}

/** Runs `main` on a simulated machine that finds these files, and answers what it leaves behind. */
export async function onMachine<T>(
  files: Files,
  main: (platform: Platform) => Promise<T>,
): Promise<Outcome<T>> {
  return fromEventLoop(() => {
    const world = new World({
      tape: generatedTape(1),
      settings: { accessMs: 0, syncMinMs: 0.1, syncMaxMs: 0.1 },
    });
    let outcome: Outcome<T> | null = null;
    const node = world.addNode('n1', async (platform) => {
      await putFiles(platform, files);
      let [result, error]: [T | null, FlotillaError | null] = [null, null];
      try {
        result = await main(platform);
      } catch (cause) {
        if (!(cause instanceof FlotillaError)) throw cause;
        error = cause;
      }
      outcome = { result, error, files: await takeFiles(platform) };
    });
    node.start();
    world.run(600_000, () => outcome !== null);
    const { violation } = world;
    world.end();
    if (violation !== null)
      throw new Error(`${violation.name}: ${violation.message}\n${violation.stack ?? ''}`);
    if (outcome === null) throw new Error('it takes more than ten simulated minutes');
    return outcome;
  });
}

/** Makes these the only files of their names. */
export async function putFiles(platform: Platform, files: Files): Promise<void> {
  await platform.disk.makeDirectory(directory);
  for (const [name, bytes] of files) {
    const path = `${directory}/${name}`;
    const file = await platform.disk.open(path, (await platform.disk.exists(path)) ? 'write' : 'create');
    await file.truncate(bytes.length);
    file.write(0, bytes);
    await file.sync();
    await file.close();
  }
  await platform.disk.syncDirectory(directory);
}

export async function takeFiles(platform: Platform): Promise<Files> {
  const files = new Map<string, Uint8Array>();
  for (const name of await platform.disk.list(directory)) {
    // A log that is still open may be making or removing a segment.
    const file = await platform.disk.open(`${directory}/${name}`, 'read').catch(() => null);
    if (file === null) continue;
    files.set(name, await file.read(0, file.size()));
    await file.close();
  }
  return files;
}

export function entry(
  index: number,
  term: number,
  text = `entry ${index}`,
  kind: EntryKind = 'command',
): Entry {
  return { index: index as Index, term: term as Term, kind, payload: new TextEncoder().encode(text) };
}

export function entries(from: number, to: number, term: number, bytes = 20): Entry[] {
  const list: Entry[] = [];
  for (let index = from; index <= to; index += 1)
    list.push(entry(index, term, `${index} `.padEnd(bytes, 'x')));
  return list;
}

export function hardState(term: number, vote: number, commit: number): HardState {
  return { term: term as Term, vote: vote as NodeId, commit: commit as Index };
}

export function snapshot(index: number, term: number): SnapshotMeta {
  const configuration = { ...configurationOf([1, 2, 3], [4]), autoLeave: true, removed: [9, 7] as NodeId[] };
  return { index: index as Index, term: term as Term, configuration };
}

export function record(group: GroupId, content: Partial<Write>): LogRecord {
  const write: Write = {
    sequence: 1 as WriteSequence,
    truncateFrom: null,
    entries: [],
    hardState: null,
    snapshot: null,
    mustSync: true,
    thenSend: [],
    ...content,
  };
  return { group, write };
}
