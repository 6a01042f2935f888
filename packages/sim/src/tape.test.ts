import { expect, test } from 'vitest';
import { generatedTape, replayedTape } from './tape.ts';
import type { Tape } from './tape.ts';

function questions(tape: Tape): number[] {
  const answers: number[] = [];
  for (let i = 0; i < 5000; i += 1) {
    answers.push(tape.choose(1 + (i % 97), 'delay'));
    answers.push(tape.chance(1, 1 + (i % 13), 'fault') ? 1 : 0);
  }
  return answers;
}

test('equal seeds give equal answers, unequal seeds others', () => {
  expect(questions(generatedTape(7))).toEqual(questions(generatedTape(7)));
  expect(questions(generatedTape(7))).not.toEqual(questions(generatedTape(8)));
});

test('the recorded values replay the run, and the replay records them again', () => {
  const generated = generatedTape(3);
  const answers = questions(generated);
  const replayed = replayedTape(generated.values());
  expect(questions(replayed)).toEqual(answers);
  expect(replayed.values()).toEqual(generated.values());
  expect(replayed.length).toBe(generated.length);
});

test('lanes replay the run too, and editing one label leaves the others in step', () => {
  const generated = generatedTape(3);
  const answers = questions(generated);
  const lanes = new Map(generated.lanes());
  expect(questions(replayedTape(lanes))).toEqual(answers);
  lanes.delete('fault');
  const edited = questions(replayedTape(lanes));
  expect(edited.filter((_, i) => i % 2 === 0)).toEqual(answers.filter((_, i) => i % 2 === 0));
  expect(edited.filter((_, i) => i % 2 === 1).every((answer) => answer === 0)).toBe(true);
});

test('a bound of 1 and an impossible chance take nothing from the tape', () => {
  const tape = generatedTape(1);
  expect(tape.choose(1, 'none')).toBe(0);
  expect(tape.chance(0, 10, 'never')).toBe(false);
  expect(tape.length).toBe(0);
});

test('past the end of a replay everything is harmless', () => {
  const tape = replayedTape([2]);
  expect(tape.choose(3, 'a')).toBe(2);
  expect(tape.choose(3, 'a')).toBe(0);
  expect(tape.chance(1, 2, 'b')).toBe(false);
});

test('a replayed choice that is out of range becomes the largest allowed one', () => {
  expect(replayedTape([9]).choose(3, 'a')).toBe(2);
  expect(replayedTape([9]).chance(1, 3, 'a')).toBe(true);
});

test('chances come true about as often as they say', () => {
  const tape = generatedTape(11);
  let hits = 0;
  for (let i = 0; i < 20_000; i += 1) if (tape.chance(1, 20, 'fault')) hits += 1;
  expect(hits).toBeGreaterThan(850);
  expect(hits).toBeLessThan(1150);
  expect(tape.summary().get('fault')).toEqual({ drawn: 20_000, notHarmless: hits });
  expect(tape.at(0).label).toBe('fault');
});

test('a bound that is no positive integer is refused', () => {
  expect(() => generatedTape(1).choose(0, 'x')).toThrow(/bound/);
  expect(() => replayedTape([]).choose(1.5, 'x')).toThrow(/bound/);
});
