import type { Configuration, Index, NodeId, SnapshotMeta, StateMachine, Term } from '@flotilla/raft';
import { ByteReader } from './encoding/byte-reader.ts';
import { ByteWriter } from './encoding/byte-writer.ts';
import {
  checkFormat,
  decodeState,
  installedKey,
  installingKey,
  stateKey,
  storedFormats,
} from './mvcc/meta.ts';
import { Table } from './mvcc/tables.ts';
import type { OrderedStorage } from './storage.ts';

/** Index, term and configuration of the snapshot that the stored state came from. */
export function encodeInstalled({ index, term, configuration }: SnapshotMeta): Uint8Array {
  const writer = new ByteWriter(64);
  writer.byte(storedFormats.keys);
  writer.varint(index);
  writer.varint(term);
  writeConfiguration(writer, configuration);
  return writer.take();
}

export function writeConfiguration(writer: ByteWriter, configuration: Configuration): void {
  for (const ids of listsOf(configuration)) {
    writer.varint(ids.length);
    for (const id of ids) writer.varint(id);
  }
  writer.byte(configuration.autoLeave ? 1 : 0);
}

export function decodeInstalled(record: Uint8Array): SnapshotMeta {
  const reader = new ByteReader(record);
  checkFormat(reader.byte());
  const index = reader.varint() as Index;
  const term = reader.varint() as Term;
  return { index, term, configuration: readConfiguration(reader) };
}

export function readConfiguration(reader: ByteReader): Configuration {
  const ids = (): NodeId[] => {
    const list: NodeId[] = [];
    for (let left = reader.varint(); left > 0; left -= 1) list.push(reader.varint() as NodeId);
    return list;
  };
  const voters = ids();
  const votersOutgoing = ids();
  const learners = ids();
  const learnersNext = ids();
  const removed = ids();
  return { voters, votersOutgoing, learners, learnersNext, removed, autoLeave: reader.byte() === 1 };
}

/** Where the state in `storage` comes from, without opening it as a database. A state that was being installed is none. */
export function storedPositions(
  storage: OrderedStorage,
): Pick<StateMachine<unknown>, 'applied' | 'installed'> {
  const state = storage.get(Table.META, stateKey);
  const installed = storage.get(Table.META, installedKey);
  if (state === null || storage.get(Table.META, installingKey) !== null) {
    return { applied: { index: 0 as Index, term: 0 as Term }, installed: null };
  }
  const { index, term } = decodeState(state).applied;
  return {
    applied: { index: index as Index, term: term as Term },
    installed: installed === null ? null : decodeInstalled(installed),
  };
}

function listsOf(configuration: Configuration): readonly (readonly NodeId[])[] {
  const { voters, votersOutgoing, learners, learnersNext, removed } = configuration;
  return [voters, votersOutgoing, learners, learnersNext, removed];
}
