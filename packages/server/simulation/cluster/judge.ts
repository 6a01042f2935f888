import {
  checkLinearizability,
  checkRevisions,
  describeVerdict,
  etcdKeyModel,
  inRange,
  prefixEnd,
} from '@flotilla/check';
import type {
  Call,
  EtcdCall,
  EtcdEvent,
  EtcdKeyOperation,
  EtcdKeyResult,
  EtcdResponse,
  FoundKey,
  KeyValue,
  Verdict,
} from '@flotilla/check';
import type { World } from '@flotilla/sim';
import type { MemberNode } from './member-node.ts';
import type { SimWatcher } from './watcher.ts';
import { describeEvents } from './written-history.ts';
import type { WrittenHistory } from './written-history.ts';
import { soloKeys } from './workload.ts';

export interface Evidence {
  readonly world: World;
  readonly calls: readonly EtcdCall[];
  readonly members: readonly MemberNode[];
  readonly watchers: readonly SimWatcher[];
  readonly written: WrittenHistory;
}

/** What must hold when all is over. Violations go to the world. */
export function judge(evidence: Evidence): void {
  const { world, calls, watchers } = evidence;
  sameState(evidence);
  const persisted = evidence.written.complete();
  const report = checkRevisions(calls, persisted === null ? {} : { persisted });
  rule(world, 'revisions', report.verdict);
  for (const watcher of watchers) {
    sameEvents(evidence, watcher);
    samePrevious(evidence, watcher);
  }
  evidence.written.judgeWatches(watchers.flatMap(({ records }) => records));
  // Of a request without an answer the written history tells whether it was executed: the search need not try both.
  const isOver = ({ id, outcome }: EtcdCall): boolean =>
    outcome.type !== 'unknown' || persisted === null || report.explained.has(id);
  const solo = calls
    .filter(isOver)
    .map(soloCall)
    .filter((call) => call !== null);
  world.coverage.count('calls judged', calls.length);
  world.coverage.count('calls judged per key', solo.length);
  rule(world, 'linearizability', checkLinearizability(etcdKeyModel, solo).verdict);
}

function rule(world: World, name: string, verdict: Verdict): void {
  if (verdict.outcome === 'ok') return;
  const [first] = verdict.outcome === 'illegal' ? verdict.violations : [];
  world.violate(first?.rule ?? name, describeVerdict(verdict), null, first?.calls);
}

/** All members have applied the same entries, so all must hold the same. */
function sameState({ world, members }: Evidence): void {
  const states = members.map(({ name, member }) => {
    const { revision, compactRevision, hash } = member?.database.hash() ?? {
      revision: -1,
      compactRevision: -1,
      hash: 0,
    };
    return { name, text: `revision ${revision}, compacted at ${compactRevision}, hash ${hash.toString(16)}` };
  });
  const [first] = states;
  if (states.every((state) => state.text === first?.text)) return;
  world.violate('replicas differ', states.map((state) => `${state.name}: ${state.text}`).join('; '));
}

/** A watcher has got exactly what was written in its range, but for what was compacted before it asked. */
function sameEvents({ world, written }: Evidence, watcher: SimWatcher): void {
  const end = watcher.prefix === '\0' ? '\0' : prefixEnd(watcher.prefix);
  const left = { none: '', puts: 'put', deletions: 'delete' }[watcher.filter];
  const got = new Map(watcher.revisions.map(({ revision, events }) => [revision, describeEvents(events)]));
  for (let revision = 1; revision <= watcher.seenRevision; revision += 1) {
    const events = written.eventsAt(revision);
    if (events === null || watcher.gaps.some((gap) => revision >= gap.from && revision <= gap.to)) continue;
    const wanted = events.filter(
      (event) => event.type !== left && inRange(keyOf(event), watcher.prefix, end),
    );
    const own = describeEvents(wanted);
    const seen = got.get(revision) ?? '';
    if (own === seen) continue;
    world.violate('watch', `${watcher.name} got «${seen}» at revision ${revision}, written was «${own}»`);
    return;
  }
}

/** With `prev_kv` an event carries the key's value as it was right before, if that was not compacted away. */
function samePrevious({ world, calls, written }: Evidence, watcher: SimWatcher): void {
  const compacted = calls.some((call) => call.operation.type === 'compact');
  const latest = new Map<string, KeyValue | null>();
  for (const { revision, events } of written.complete() ?? []) {
    for (const event of events) {
      const key = keyOf(event);
      const said = watcher.previous.get(`${revision} ${key}`);
      const before = latest.get(key) ?? null;
      latest.set(key, event.type === 'put' ? event.kv : null);
      if (said === undefined || (said === null && compacted)) continue;
      if (describeKv(said) === describeKv(before)) continue;
      const message = `${watcher.name} was told that ${key} was ${describeKv(said)} before ${revision}, it was ${describeKv(before)}`;
      world.violate('watch', message);
      return;
    }
  }
}

function keyOf(event: EtcdEvent): string {
  return event.type === 'put' ? event.kv.key : event.key;
}

function describeKv(kv: KeyValue | null): string {
  return kv === null ? 'absent' : `${kv.value} (modified ${kv.modRevision}, version ${kv.version})`;
}

type SoloCall = Call<EtcdKeyOperation, EtcdKeyResult>;

/** The call as one on a single key, when it is about one of the keys that only such calls write. */
function soloCall(call: EtcdCall): SoloCall | null {
  const operation = soloOperation(call);
  if (operation === null) return null;
  const { outcome } = call;
  if (outcome.type !== 'returned') return { ...call, operation, outcome };
  const result = soloResult(operation, outcome.result);
  return result === null ? null : { ...call, operation, outcome: { ...outcome, result } };
}

function soloOperation({ operation }: EtcdCall): EtcdKeyOperation | null {
  const isSolo = (key: string): boolean => (soloKeys as readonly string[]).includes(key);
  switch (operation.type) {
    case 'range': {
      const { key, rangeEnd, revision, serializable } = operation;
      return isSolo(key) && rangeEnd === '' && revision === 0 && !serializable ? { type: 'get', key } : null;
    }
    case 'put':
      return isSolo(operation.key) ? { type: 'put', key: operation.key, value: operation.value } : null;
    case 'delete-range':
      return isSolo(operation.key) ? { type: 'delete', key: operation.key } : null;
    case 'txn': {
      const [compare] = operation.compare;
      const [put] = operation.success;
      if (compare === undefined || !isSolo(compare.key) || put?.type !== 'put') return null;
      if (compare.target.type !== 'mod') return null;
      return { type: 'guarded-put', key: compare.key, value: put.value, modRevision: compare.target.value };
    }
    case 'compact':
      return null;
  }
}

function soloResult(operation: EtcdKeyOperation, response: EtcdResponse): EtcdKeyResult | null {
  switch (response.type) {
    case 'range':
      return { type: 'get', revision: response.revision, found: foundKey(response.kvs[0]) };
    case 'put':
      return { type: 'put', revision: response.revision };
    case 'delete-range':
      return { type: 'delete', revision: response.revision, deleted: response.deleted > 0 };
    case 'txn': {
      if (operation.type !== 'guarded-put') return null;
      if (response.succeeded) return { type: 'guarded-put', revision: response.revision, succeeded: true };
      const [range] = response.responses;
      const found = range?.type === 'range' ? foundKey(range.kvs[0]) : null;
      return { type: 'guarded-put', revision: response.revision, succeeded: false, found };
    }
    case 'compact':
    case 'error':
      return null;
  }
}

function foundKey(kv: KeyValue | undefined): FoundKey | null {
  return kv === undefined ? null : { value: kv.value, version: kv.version, modRevision: kv.modRevision };
}
