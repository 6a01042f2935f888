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
  RevisionEvents,
  Verdict,
} from '@flotilla/check';
import type { World } from '@flotilla/sim';
import type { MemberNode } from './member-node.ts';
import type { SimWatcher } from './watcher.ts';
import { soloKeys } from './workload.ts';

export interface Evidence {
  readonly world: World;
  readonly calls: readonly EtcdCall[];
  readonly members: readonly MemberNode[];
  /** The first one watches everything. */
  readonly watchers: readonly SimWatcher[];
}

/** What must hold when all is over. Violations go to the world. */
export function judge(evidence: Evidence): void {
  const { world, calls, watchers } = evidence;
  sameState(evidence);
  const whole = watchers[0];
  const persisted = whole === undefined || whole.gaps.length > 0 ? null : whole.revisions;
  const report = checkRevisions(calls, persisted === null ? {} : { persisted });
  rule(world, 'revisions', report.verdict);
  for (const watcher of watchers) sameEvents(world, watcher, report.revisions);
  const solo = calls.map(soloCall).filter((call) => call !== null);
  world.coverage.count('calls judged', calls.length);
  world.coverage.count('calls judged per key', solo.length);
  rule(world, 'linearizability', checkLinearizability(etcdKeyModel, solo).verdict);
}

function rule(world: World, name: string, verdict: Verdict): void {
  if (verdict.outcome === 'ok') return;
  world.violate(
    verdict.outcome === 'illegal' ? (verdict.violations[0]?.rule ?? name) : name,
    describeVerdict(verdict),
  );
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
function sameEvents(world: World, watcher: SimWatcher, written: readonly RevisionEvents[]): void {
  const end = watcher.prefix === '\0' ? '\0' : prefixEnd(watcher.prefix);
  const expected = new Map<number, string>();
  for (const { revision, events } of written) {
    if (watcher.gaps.some((gap) => revision >= gap.from && revision <= gap.to)) continue;
    const own = events.filter((event) =>
      inRange(event.type === 'put' ? event.kv.key : event.key, watcher.prefix, end),
    );
    if (own.length > 0) expected.set(revision, describe(own));
  }
  for (const { revision, events } of watcher.revisions) {
    const wanted = expected.get(revision);
    if (wanted !== describe(events)) {
      world.violate(
        'watch',
        `${watcher.name} got ${describe(events)} at revision ${revision}, written was ${wanted}`,
      );
      return;
    }
    expected.delete(revision);
  }
  const [missing] = expected;
  if (missing !== undefined) {
    world.violate('watch', `${watcher.name} never got revision ${missing[0]}: ${missing[1]}`);
  }
}

function describe(events: readonly EtcdEvent[]): string {
  return events
    .map((event) =>
      event.type === 'put'
        ? `put ${event.kv.key}=${event.kv.value} (created ${event.kv.createRevision}, version ${event.kv.version})`
        : `delete ${event.key}`,
    )
    .join(', ');
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
