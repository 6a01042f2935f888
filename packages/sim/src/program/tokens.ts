/**
 * One token of a JavaScript source: enough of it to find `import` and `export` where they are syntax and not text in a
 * string. Comments leave no token; a template is one token for each of its pieces of text.
 */
export interface Token {
  readonly kind: 'word' | 'text' | 'number' | 'regex' | 'punctuator';
  readonly value: string;
  readonly start: number;
  readonly end: number;
  /** How many brackets of any kind are open around it; an opening bracket and its closing one have the same. */
  readonly depth: number;
  /** Whether it is the first one on its line. */
  readonly afterNewline: boolean;
}

const wordStart = /[\p{ID_Start}$_\\#]/u;
const word = /(?:[\p{ID_Continue}$\\#]|\u200c|\u200d)+/uy;
const number = /(?:0[xXoObB][\da-fA-F_]+n?|(?:\d[\d_]*)?\.?\d[\d_]*(?:[eE][+-]?\d+)?n?\.?)/y;
const punctuator = /\?\.(?!\d)|=>|\.\.\.|\+\+|--|[^]/uy;

/** After these words an operand comes, so that `/` begins a regular expression. */
const operators = new Set(
  'return typeof case do else in instanceof new void delete throw yield await of extends default'.split(' '),
);
const beforeParenthesis = new Set(['if', 'while', 'for', 'with']);

/** @throws SyntaxError at a string, template, comment or regular expression without an end. */
export function tokensOf(source: string): readonly Token[] {
  return new Tokenizer(source).all();
}

class Tokenizer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  /** What is open: the bracket, and for a parenthesis or brace what may come behind its end. */
  readonly #open: { readonly bracket: string; readonly statement: boolean }[] = [];
  #at = 0;
  #newline = true;
  #regexNext = true;

  constructor(source: string) {
    this.#source = source;
  }

  all(): readonly Token[] {
    if (this.#source.startsWith('#!')) this.#skipLine();
    while (this.#at < this.#source.length) this.#next();
    return this.#tokens;
  }

  #next(): void {
    const source = this.#source;
    const character = source[this.#at] as string;
    if (character === '\n' || character === '\u2028' || character === '\u2029') {
      this.#newline = true;
      this.#at += 1;
    } else if (/\s/.test(character) || character === '\ufeff') this.#at += 1;
    else if (source.startsWith('//', this.#at)) this.#skipLine();
    else if (source.startsWith('/*', this.#at)) this.#skipComment();
    else if (character === '"' || character === "'") this.#string(character);
    else if (character === '`') this.#template(this.#at + 1);
    else if (character === '/' && this.#regexNext) this.#regex();
    else if (/\d/.test(character) || (character === '.' && /\d/.test(source[this.#at + 1] ?? ''))) {
      this.#match(number, 'number', false);
    } else if (wordStart.test(String.fromCodePoint(source.codePointAt(this.#at) as number))) this.#word();
    else this.#punctuator();
  }

  #word(): void {
    const before = this.#tokens.at(-1)?.value;
    const token = this.#match(word, 'word', false);
    this.#regexNext = operators.has(token.value) && before !== '.' && before !== '?.';
  }

  #punctuator(): void {
    const before = this.#tokens.at(-1);
    const [value = ''] = matchAt(punctuator, this.#source, this.#at) ?? [];
    if (value === '}' && this.#open.at(-1)?.bracket === '`') {
      this.#open.pop();
      this.#template(this.#at + 1);
      return;
    }
    const closes = value === ')' || value === ']' || value === '}';
    const closed = closes ? this.#open.pop() : undefined;
    this.#push('punctuator', this.#at + value.length);
    if (value === '(')
      this.#open.push({ bracket: value, statement: beforeParenthesis.has(before?.value ?? '') });
    else if (value === '[') this.#open.push({ bracket: value, statement: false });
    else if (value === '{') this.#open.push({ bracket: value, statement: beginsBlock(before) });
    // Behind `if (…)` and behind a block a new statement begins; behind any other bracket an operand has ended.
    this.#regexNext = closes ? closed?.statement === true : value !== '++' && value !== '--';
  }

  #string(quote: string): void {
    let end = this.#at + 1;
    for (; this.#source[end] !== quote; end += this.#source[end] === '\\' ? 2 : 1) {
      if (end >= this.#source.length || this.#source[end] === '\n') this.#unended('a string');
    }
    this.#push('text', end + 1);
  }

  /** From behind a backquote, or behind the brace that ends a piece of code in a template. */
  #template(from: number): void {
    for (let end = from; end < this.#source.length; end += this.#source[end] === '\\' ? 2 : 1) {
      if (this.#source[end] === '`') {
        this.#push('text', end + 1);
        return;
      }
      if (!this.#source.startsWith('${', end)) continue;
      this.#push('text', end + 2);
      this.#open.push({ bracket: '`', statement: false });
      this.#regexNext = true;
      return;
    }
    this.#unended('a template');
  }

  #regex(): void {
    let inClass = false;
    let end = this.#at + 1;
    for (; inClass || this.#source[end] !== '/'; end += this.#source[end] === '\\' ? 2 : 1) {
      if (end >= this.#source.length || this.#source[end] === '\n') this.#unended('a regular expression');
      if (this.#source[end] === '[') inClass = true;
      else if (this.#source[end] === ']') inClass = false;
    }
    while (/[a-z]/.test(this.#source[end + 1] ?? '')) end += 1;
    this.#push('regex', end + 1);
  }

  #skipLine(): void {
    const end = this.#source.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#source.length : end;
  }

  #skipComment(): void {
    const end = this.#source.indexOf('*/', this.#at + 2);
    if (end < 0) this.#unended('a comment');
    if (this.#source.slice(this.#at, end).includes('\n')) this.#newline = true;
    this.#at = end + 2;
  }

  #match(pattern: RegExp, kind: Token['kind'], regexNext: boolean): Token {
    const [value = this.#source[this.#at] as string] = matchAt(pattern, this.#source, this.#at) ?? [];
    const token = this.#push(kind, this.#at + value.length);
    this.#regexNext = regexNext;
    return token;
  }

  #push(kind: Token['kind'], end: number): Token {
    const value = this.#source.slice(this.#at, end);
    const depth = this.#open.length;
    const token = { kind, value, start: this.#at, end, depth, afterNewline: this.#newline };
    this.#tokens.push(token);
    this.#newline = false;
    this.#regexNext = false;
    this.#at = end;
    return token;
  }

  #unended(what: string): never {
    const line = this.#source.slice(0, this.#at).split('\n').length;
    throw new SyntaxError(`${what} that begins in line ${line} has no end`);
  }
}

function matchAt(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

/** Whether a brace behind `before` begins a block, and no object. */
function beginsBlock(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === 'word') return ['else', 'do', 'try', 'finally'].includes(before.value);
  return [')', ';', '{', '}', '=>'].includes(before.value);
}
