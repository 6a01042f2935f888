import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exceptions } from './exceptions.ts';
import { gradeOutput } from './grade.ts';
import { replayScript } from './replay.ts';
import { parseScript } from './script-file.ts';

describe('a replay', () => {
  const elected = `add-nodes 1 voters=(1) index=2
----
INFO newRaft 1 [a line that etcd logs]

campaign 1
----
ok

stabilize
----
> 1 handling Ready
  Ready MustSync=true:
  Lead:0 State:StateCandidate
  HardState Term:1 Vote:1 Commit:2
  INFO 1 became leader at term 1
> 1 handling Ready
  Ready MustSync=true:
  Lead:1 State:StateLeader
  Entries:
  1/3 EntryNormal ""
> 1 handling Ready
  Ready MustSync=false:
  HardState Term:1 Vote:1 Commit:3
  CommittedEntries:
  1/3 EntryNormal ""

raft-state
----
1: StateLeader (Voter) Term:1 Lead:1
`;

  test('agrees with a script but for its log lines', () => {
    expect(replayScript(elected)).toMatchObject({ kind: 'interaction', commands: 4, grade: 'L3' });
  });

  test('sees a state that is not as the script says', () => {
    const wrong = replayScript(elected.replace('Term:1 Lead:1', 'Term:2 Lead:1'));
    expect(wrong.grade).toBe('none');
    expect(wrong.differences.find(({ grade }) => grade === 'none')?.directive).toMatchObject({
      line: 27,
      command: 'raft-state',
    });
    expect(replayScript(elected.replace('Commit:3', 'Commit:2')).grade).toBe('none');
  });

  test('says what it cannot do', () => {
    expect(replayScript('frobnicate 1\n----\nok\n').differences[0]?.output).toBe(
      'unknown command frobnicate',
    );
  });

  test('compares the last line of a quorum, and all of a changed configuration', () => {
    expect(replayScript('committed cfg=(1,2,3) idx=(7,_,9)\n----\na drawing\n7\n').grade).toBe('L4');
    expect(replayScript('vote cfg=(1,2) cfgj=(3) votes=(y,y,n)\n----\nVoteWon\n').grade).toBe('none');
    const changes =
      'simple\nv1\n----\nvoters=(1)\n1: StateProbe match=0 next=1\n\nsimple\nr1\n----\nremoved all voters\n';
    expect(replayScript(changes).grade).toBe('L4');
  });
});

describe('a grade', () => {
  const [directive] = parseScript(`stabilize
----
> 1 handling Ready
  Ready MustSync=true:
  HardState Term:1 Commit:4
  Entries:
  1/4 EntryNormal "x"
  Messages:
  1->2 MsgApp Term:1 Log:1/3 Commit:3 Entries:[1/4 EntryNormal "x"]
`);
  const graded = (from: string, to: string): string => {
    if (directive === undefined || !directive.expected.includes(from)) throw new Error('nothing to replace');
    return gradeOutput(directive, directive.expected.replace(from, to));
  };

  test('is lost with a state, an entry or a commit index', () => {
    expect(graded('Term:1 Commit:4', 'Term:1 Commit:3')).toBe('none');
    expect(graded('  1/4 EntryNormal "x"\n', '  1/4 EntryNormal "y"\n')).toBe('none');
  });

  test('is L1 when a field of a message differs, or a message is missing', () => {
    expect(graded('Log:1/3', 'Log:1/2')).toBe('L1');
    expect(graded('  1->2 MsgApp Term:1 Log:1/3 Commit:3 Entries:[1/4 EntryNormal "x"]', '')).toBe('L1');
  });

  test('is L2 when only the form differs, L3 when only log lines do', () => {
    expect(graded('MustSync=true', 'MustSync=false')).toBe('L2');
    expect(graded('> 1', 'INFO something\n> 1')).toBe('L3');
    expect(graded('> 1', '> 1')).toBe('L4');
  });
});

test('there are at most five differences on purpose, each named once', () => {
  expect(exceptions.length).toBeLessThanOrEqual(5);
  expect(new Set(exceptions.map(({ name }) => name)).size).toBe(exceptions.length);
});

describe('our own scripts', () => {
  const own = join(import.meta.dirname, 'own');

  test.each(readdirSync(own))('%s is replayed to the letter', (file) => {
    const { differences } = replayScript(readFileSync(join(own, file), 'utf8'));
    expect(differences[0]).toBeUndefined();
  });
});

/** The scripts of etcd-io/raft are not part of this repository: they may lie beside it. */
const folder = resolve(
  process.env['FLOTILLA_RAFT_SCRIPTS'] ??
    join(import.meta.dirname, '../../../../../shared/conformance/etcd-raft'),
);

describe.skipIf(!existsSync(folder))('the scripts of etcd-io/raft', () => {
  const files = existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.txt'))
    : [];

  test.each(files.map((file) => [basename(file, '.txt'), file]))('%s is replayed as text', (_name, file) => {
    const { kind, grade, differences } = replayScript(readFileSync(join(folder, file), 'utf8'));
    const first = differences.find((difference) => difference.grade !== 'L3');
    expect(first).toBeUndefined();
    expect(kind === 'function' ? ['L4'] : ['L3', 'L4']).toContain(grade);
  });

  test('are there', () => {
    expect(files.length).toBeGreaterThan(0);
  });
});
