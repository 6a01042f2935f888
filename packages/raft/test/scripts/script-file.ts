/**
 * One instruction of a script in the format of cockroachdb/datadriven, which etcd-io/raft's test data is written in:
 *
 *     command argument key=value key=(first,second)
 *     lines of input
 *     ----
 *     expected output, up to a blank line
 */
export interface Directive {
  /** Where it stands in the file, from 1. */
  readonly line: number;
  readonly command: string;
  readonly arguments: readonly Argument[];
  readonly input: string;
  readonly expected: string;
}

/** `key`, `key=value` or `key=(value,value)`. */
export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
}

const separator = '----';

/**
 * Reads a script. Throws when a line cannot be understood: a script that is read wrongly proves nothing.
 *
 * @example
 * parseScript('propose 1 foo\n----\nok\n')[0]?.command; // 'propose'
 */
export function parseScript(text: string): readonly Directive[] {
  const lines = new Lines(text);
  const directives: Directive[] = [];
  for (let line = lines.next(); line !== null; line = lines.next()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    directives.push(parseDirective(lines, trimmed));
  }
  return directives;
}

function parseDirective(lines: Lines, firstLine: string): Directive {
  const at = lines.at;
  let instruction = firstLine;
  // A backslash at the end continues the instruction on the next line.
  while (instruction.endsWith('\\'))
    instruction = `${instruction.slice(0, -1)} ${lines.next()?.trim() ?? ''}`;
  const [command, ...rest] = splitWords(instruction, at);
  if (command === undefined) throw new SyntaxError(`line ${at}: an instruction without a command`);
  const input: string[] = [];
  let line = lines.next();
  for (; line !== null && line.trim() !== separator; line = lines.next()) input.push(line);
  if (line === null) throw new SyntaxError(`line ${at}: ${command} has no «${separator}»`);
  return {
    line: at,
    command,
    arguments: rest.map((word) => parseArgument(word, at)),
    input: input.join('\n').trim(),
    expected: parseExpected(lines),
  };
}

/** Up to a blank line; or, when it begins with a second separator, up to a pair of them. */
function parseExpected(lines: Lines): string {
  const expected: string[] = [];
  let line = lines.next();
  if (line === separator) {
    for (line = lines.next(); line !== null; line = lines.next()) {
      if (line === separator && lines.peek() === separator) {
        lines.next();
        break;
      }
      expected.push(line);
    }
    return expected.join('\n');
  }
  for (; line !== null && line.trim() !== ''; line = lines.next()) expected.push(line);
  return expected.join('\n');
}

/** Words end at spaces, except within parentheses. */
function splitWords(instruction: string, at: number): readonly string[] {
  const words: string[] = [];
  let word = '';
  let depth = 0;
  for (const character of `${instruction} `) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (/\s/u.test(character) && depth === 0) {
      if (word !== '') words.push(word);
      word = '';
    } else {
      word += character;
    }
  }
  if (depth !== 0) throw new SyntaxError(`line ${at}: the parentheses of «${instruction}» do not match`);
  return words;
}

function parseArgument(word: string, at: number): Argument {
  const equals = word.indexOf('=');
  if (equals < 0) return { key: word, values: [] };
  const key = word.slice(0, equals);
  const value = word.slice(equals + 1);
  if (!value.startsWith('(')) return { key, values: value === '' ? [] : [value] };
  if (!value.endsWith(')')) throw new SyntaxError(`line ${at}: «${word}» goes on after its list`);
  const list = value.slice(1, -1).trim();
  return { key, values: list === '' ? [] : list.split(/[\s,]+/u) };
}

class Lines {
  readonly #lines: readonly string[];
  #next = 0;

  constructor(text: string) {
    this.#lines = text.split('\n').map((line) => line.replace(/\r$/u, ''));
  }

  /** The number of the line that was read last. */
  get at(): number {
    return this.#next;
  }

  next(): string | null {
    const line = this.peek();
    this.#next += 1;
    return line;
  }

  peek(): string | null {
    return this.#lines[this.#next] ?? null;
  }
}
