import { configurationOf } from '../core/configuration.ts';
import { describe, expect, it } from 'vitest';
import type { Configuration, Index, NodeId, Term } from '../core/types.ts';
import type { RecoveredGroup } from '../log/types.ts';
import { restoration } from './restore.ts';

const initial = configurationOf([1, 2, 3]);
const logged = configurationOf([1, 2, 4]);
const brought = configurationOf([1, 4, 5]);

const at = (index: number, term: number): { index: Index; term: Term } => ({
  index: index as Index,
  term: term as Term,
});

/** A state that was applied entry by entry, or that was installed and has not moved since. */
const state = (index: number, term: number, installed: Configuration | null = null) => ({
  applied: at(index, term),
  installed: installed === null ? null : { ...at(index, term), configuration: installed },
});

/** A log after snapshot 10 of term 2, with entries 11–15 of term 2 and 16–20 of term 4; commit 12, vote for 3 in term 5. */
function recovered(): RecoveredGroup {
  return {
    hardState: { term: 5 as Term, vote: 3 as NodeId, commit: 12 as Index },
    snapshot: { ...at(10, 2), configuration: logged },
    termRuns: [
      { from: 11 as Index, term: 2 as Term },
      { from: 16 as Index, term: 4 as Term },
    ],
    lastIndex: 20 as Index,
    membership: [],
  };
}

describe('restoration', () => {
  it('starts a new group with the initial configuration', () => {
    const { restored, repair } = restoration(undefined, state(0, 0), initial);
    expect(repair).toBeNull();
    expect(restored).toMatchObject({
      lastIndex: 0,
      applied: 0,
      snapshot: { index: 0, configuration: initial },
    });
  });

  it('refuses a state without a log: somebody took the log away, and votes with it', () => {
    expect(() => restoration(undefined, state(4, 1), initial)).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_LOG_MISSING' }),
    );
  });

  it('lets a group begin with a state, as if its first snapshot had been installed', () => {
    const { restored, repair } = restoration(undefined, state(1, 1, brought), initial);
    expect(restored).toMatchObject({
      applied: 1,
      lastIndex: 1,
      snapshot: { index: 1, configuration: brought },
    });
    expect(repair).toMatchObject({ snapshot: { index: 1, term: 1, configuration: brought }, mustSync: true });
  });

  it('takes the configuration of the log once it has one', () => {
    const { restored } = restoration(recovered(), state(11, 2), initial);
    expect(restored.snapshot.configuration).toEqual(logged);
  });

  it('replays what the log has beyond the state', () => {
    const { restored, repair } = restoration(recovered(), state(11, 2), initial);
    expect(repair).toBeNull();
    expect(restored).toMatchObject({ applied: 11, lastIndex: 20, hardState: { commit: 12 } });
  });

  it('knows that what is applied was committed', () => {
    const { restored, repair } = restoration(recovered(), state(17, 4), initial);
    expect(repair).toBeNull();
    expect(restored).toMatchObject({
      applied: 17,
      lastIndex: 20,
      hardState: { term: 5, vote: 3, commit: 17 },
    });
  });

  it('writes the record of a snapshot whose installation ended just before the crash', () => {
    const { restored, repair } = restoration(recovered(), state(30, 5, brought), initial);
    expect(repair?.snapshot?.configuration).toEqual(brought);
    expect(repair).toMatchObject({ snapshot: at(30, 5), mustSync: true, entries: [], truncateFrom: null });
    expect(repair?.hardState).toEqual({ term: 5, vote: 3, commit: 30 });
    expect(restored).toMatchObject({ applied: 30, lastIndex: 30, termRuns: [], snapshot: at(30, 5) });
  });

  it('drops a log that contradicts the installed snapshot, and a vote of a term that has passed', () => {
    const { restored, repair } = restoration(recovered(), state(15, 6, brought), initial);
    expect(repair?.hardState).toEqual({ term: 6, vote: 0, commit: 15 });
    expect(restored).toMatchObject({ applied: 15, lastIndex: 15, snapshot: at(15, 6) });
  });

  it('refuses a log that has lost what the state machine has applied, at its end or in the middle', () => {
    for (const ahead of [state(21, 4), state(30, 5), state(15, 6)]) {
      expect(() => restoration(recovered(), ahead, initial)).toThrow(
        expect.objectContaining({ code: 'FLOTILLA_LOG_DAMAGED' }),
      );
    }
  });

  it('takes a state for an installed one only as long as nothing was applied after it', () => {
    const moved = { applied: at(31, 5), installed: { ...at(30, 5), configuration: brought } };
    expect(() => restoration(recovered(), moved, initial)).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_LOG_DAMAGED' }),
    );
  });

  it('refuses an installed state without a log, too: the log knew the group before the state was touched', () => {
    expect(() => restoration(undefined, state(4, 1, brought), initial)).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_LOG_MISSING' }),
    );
  });

  it('joins with a log that begins with a configuration without members, until a snapshot brings one', () => {
    const nobody = configurationOf([]);
    const empty = {
      ...recovered(),
      snapshot: { ...at(0, 0), configuration: nobody },
      termRuns: [],
      lastIndex: 0 as Index,
    };
    expect(restoration(undefined, state(0, 0), nobody).joining).toBe(true);
    expect(restoration(empty, state(0, 0), nobody).joining).toBe(true);
    expect(restoration(recovered(), state(10, 2), nobody).joining).toBe(false);
    expect(restoration(undefined, state(0, 0), initial).joining).toBe(false);
  });

  it('starts without a state from the log alone, vote and entries kept', () => {
    const { restored, repair } = restoration(recovered(), state(0, 0), initial);
    expect(repair).toBeNull();
    expect(restored).toMatchObject({
      applied: 10,
      lastIndex: 20,
      hardState: { term: 5, vote: 3, commit: 12 },
    });
  });

  it('gives the core every membership entry after the snapshot, applied or not', () => {
    const entry = (index: number) => ({
      ...at(index, 2),
      kind: 'membership' as const,
      payload: new Uint8Array(0),
    });
    const group = { ...recovered(), membership: [entry(11), entry(13)] };
    expect(restoration(group, state(12, 2), initial).restored.membership).toEqual([entry(11), entry(13)]);
  });
});
