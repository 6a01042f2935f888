import { describe, expect, test } from 'vitest';
import { parseScript } from './script-file.ts';

describe('a script file', () => {
  test('is a list of commands with arguments, input and expected output', () => {
    const text = `# A comment.

add-nodes 2 voters=(1, 2) index=10
----
ok

# Another one.
propose-conf-change 1 transition=explicit
v3 l4
----
first line
  second line

raft-state
----
`;
    expect(parseScript(text)).toEqual([
      {
        line: 3,
        command: 'add-nodes',
        arguments: [
          { key: '2', values: [] },
          { key: 'voters', values: ['1', '2'] },
          { key: 'index', values: ['10'] },
        ],
        input: '',
        expected: 'ok',
      },
      {
        line: 8,
        command: 'propose-conf-change',
        arguments: [
          { key: '1', values: [] },
          { key: 'transition', values: ['explicit'] },
        ],
        input: 'v3 l4',
        expected: 'first line\n  second line',
      },
      { line: 14, command: 'raft-state', arguments: [], input: '', expected: '' },
    ]);
  });

  test('expects blank lines between two pairs of separators', () => {
    const [first, second] = parseScript('a\n----\n----\none\n\ntwo\n----\n----\n\nb\n----\nok\n');
    expect(first?.expected).toBe('one\n\ntwo');
    expect(second?.command).toBe('b');
  });

  test('continues an instruction after a backslash', () => {
    expect(parseScript('deliver-msgs 1 \\\n  drop=(2,3)\n----\nok\n')[0]?.arguments).toEqual([
      { key: '1', values: [] },
      { key: 'drop', values: ['2', '3'] },
    ]);
  });

  test('is refused when it cannot be understood', () => {
    expect(() => parseScript('propose 1 foo\n')).toThrow('line 1: propose has no «----»');
    expect(() => parseScript('vote cfg=(1,2\n----\n')).toThrow('parentheses');
    expect(() => parseScript('vote cfg=(1)2\n----\n')).toThrow('goes on after its list');
  });
});
