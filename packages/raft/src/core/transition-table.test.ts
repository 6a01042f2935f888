import { describe, expect, it } from 'vitest';
import { transitionTable } from './transition-table.ts';

const door = transitionTable('door', {
  open: { close: 'closed' },
  closed: { open: 'open', lock: 'locked' },
  locked: { unlock: 'closed' },
});

describe('a transition table', () => {
  it('leads from a state to the next', () => {
    expect(door.fire('open', 'close')).toBe('closed');
    expect(door.fire('closed', 'lock')).toBe('locked');
  });

  it('takes an event that the state does not know for a bug', () => {
    expect(() => door.fire('open', 'lock')).toThrow('door: no transition from open on lock');
  });

  it('counts each transition', () => {
    door.resetCoverage();
    door.fire('open', 'close');
    door.fire('open', 'close');
    const counts = door.coverage().map(({ from, event, count }) => [from, event, count]);
    expect(counts).toEqual([
      ['open', 'close', 2],
      ['closed', 'open', 0],
      ['closed', 'lock', 0],
      ['locked', 'unlock', 0],
    ]);
  });

  it('draws itself', () => {
    expect(door.toMermaid()).toBe(
      [
        'stateDiagram-v2',
        '  [*] --> open',
        '  open --> closed: close',
        '  closed --> open: open',
        '  closed --> locked: lock',
        '  locked --> closed: unlock',
        '',
      ].join('\n'),
    );
  });
});
