import { limits } from '../limits.ts';
import { RpcError } from '../rpc-error.ts';
import { Status } from '../status.ts';

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

/**
 * Reads one JSON value piece by piece. Numbers stay text, so that 64-bit ones keep their bits, which `JSON.parse`
 * would round. What is malformed throws INVALID_ARGUMENT with the words of Go's `encoding/json`, as etcd's gateway
 * answers them.
 */
export class JsonReader {
  readonly #text: string;
  #position = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Of the value or sign that comes next. */
  get position(): number {
    this.#skipSpace();
    return this.#position;
  }

  /** Of what comes next; looks at its first character only. */
  kind(): JsonKind {
    switch (this.#peek()) {
      case '{':
        return 'object';
      case '[':
        return 'array';
      case '"':
        return 'string';
      case 't':
      case 'f':
        return 'boolean';
      case 'n':
        return 'null';
      default:
        if (/[-0-9]/.test(this.#peek())) return 'number';
        throw this.#unexpected('looking for beginning of value');
    }
  }

  /**
   * The first name of an object, null when it has none. The value follows; then {@link nextName}.
   */
  enterObject(): string | null {
    this.#enter('{');
    if (this.#peek() === '}') return this.#leave();
    return this.#name();
  }

  nextName(): string | null {
    const sign = this.#peek();
    if (sign === '}') return this.#leave();
    if (sign !== ',') throw this.#unexpected('after object key:value pair');
    this.#position += 1;
    return this.#name();
  }

  /** Whether the array has an element; then {@link nextElement}. */
  enterArray(): boolean {
    this.#enter('[');
    if (this.#peek() !== ']') return true;
    this.#leave();
    return false;
  }

  nextElement(): boolean {
    const sign = this.#peek();
    if (sign === ']') {
      this.#leave();
      return false;
    }
    if (sign !== ',') throw this.#unexpected('after array element');
    this.#position += 1;
    return true;
  }

  string(): string {
    const text = this.#text;
    const start = this.#position + 1;
    let from = start;
    let quote = -1;
    let escaped = false;
    for (;;) {
      // Looked for only once between two escaped ones: a long text of escapes must not be scanned for each.
      if (quote < from) quote = text.indexOf('"', from);
      if (quote === -1) quote = text.length;
      const slash = text.slice(from, quote).indexOf('\\');
      if (slash === -1) break;
      escaped = true;
      this.#position = from + slash + 1;
      from = this.#skipEscape();
    }
    const content = text.slice(start, quote);
    // eslint-disable-next-line no-control-regex
    const control = /[\u0000-\u001f]/.exec(content);
    if (control !== null) {
      this.#position = start + control.index;
      throw this.#unexpected('in string literal');
    }
    if (quote === text.length) throw this.#cutOff();
    this.#position = quote + 1;
    return escaped ? (JSON.parse(`"${content}"`) as string) : content;
  }

  /** As it is written. */
  number(): string {
    numberPattern.lastIndex = this.#position;
    const match = numberPattern.exec(this.#text);
    if (match === null) {
      this.#position += 1;
      throw this.#position >= this.#text.length ? this.#cutOff() : this.#unexpected('in numeric literal');
    }
    this.#position += match[0].length;
    return match[0];
  }

  boolean(): boolean {
    if (this.#peek() === 't') {
      this.#literal('true');
      return true;
    }
    this.#literal('false');
    return false;
  }

  null(): void {
    this.#literal('null');
  }

  /** Steps over a value of any kind, and answers it as it is written. */
  skip(): string {
    const start = this.position;
    switch (this.kind()) {
      case 'object':
        for (let name = this.enterObject(); name !== null; name = this.nextName()) this.skip();
        break;
      case 'array':
        for (let more = this.enterArray(); more; more = this.nextElement()) this.skip();
        break;
      case 'string':
        this.string();
        break;
      case 'number':
        this.number();
        break;
      case 'boolean':
        this.boolean();
        break;
      case 'null':
        this.null();
        break;
    }
    return this.#text.slice(start, this.#position);
  }

  /** `(line 1:9)`, for messages. */
  placeOf(position: number): string {
    const before = this.#text.slice(0, position);
    const line = before.split('\n').length;
    return `(line ${line}:${position - before.lastIndexOf('\n')})`;
  }

  #name(): string {
    if (this.#peek() !== '"') throw this.#unexpected('looking for beginning of object key string');
    const name = this.string();
    if (this.#peek() !== ':') throw this.#unexpected('after object key');
    this.#position += 1;
    return name;
  }

  #enter(sign: string): void {
    this.kind();
    if (this.#peek() !== sign) throw this.#unexpected('looking for beginning of value');
    this.#depth += 1;
    if (this.#depth > limits.jsonDepth) throw malformedJson('exceeded max depth');
    this.#position += 1;
  }

  #leave(): null {
    this.#depth -= 1;
    this.#position += 1;
    return null;
  }

  #literal(word: string): void {
    for (const letter of word) {
      if (this.#position >= this.#text.length) throw this.#cutOff();
      if (this.#text[this.#position] !== letter) {
        throw this.#unexpected(`in literal ${word} (expecting '${letter}')`);
      }
      this.#position += 1;
    }
  }

  /** From behind the backslash; answers the position after the escape. */
  #skipEscape(): number {
    const text = this.#text;
    const letter = text[this.#position];
    if (letter === undefined) throw this.#cutOff();
    if (letter !== 'u') {
      if (!'"\\/bfnrt'.includes(letter)) throw this.#unexpected('in string escape code');
      return this.#position + 1;
    }
    for (let digits = 0; digits < 4; digits += 1) {
      this.#position += 1;
      if (this.#position >= text.length) throw this.#cutOff();
      if (!/[0-9a-fA-F]/.test(text[this.#position] as string)) {
        throw this.#unexpected('in \\u hexadecimal character escape');
      }
    }
    return this.#position + 1;
  }

  #peek(): string {
    this.#skipSpace();
    const sign = this.#text[this.#position];
    if (sign === undefined) throw this.#cutOff();
    return sign;
  }

  #skipSpace(): void {
    while (isSpace(this.#text.charCodeAt(this.#position))) this.#position += 1;
  }

  #unexpected(where: string): RpcError {
    const sign = String.fromCodePoint(this.#text.codePointAt(this.#position) ?? 0);
    return malformedJson(`invalid character ${quoteSign(sign)} ${where}`);
  }

  #cutOff(): RpcError {
    return malformedJson('unexpected EOF');
  }
}

export function malformedJson(message: string): RpcError {
  return new RpcError(Status.INVALID_ARGUMENT, message);
}

const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** As Go writes a character in its messages. */
function quoteSign(sign: string): string {
  if (sign === "'") return `'\\''`;
  if (sign === '"') return `'"'`;
  return `'${JSON.stringify(sign).slice(1, -1)}'`;
}
