import { tokensOf } from './tokens.ts';
import type { Token } from './tokens.ts';

/** What an `import` declaration binds: a local name to an exported one; `*` is the namespace. */
export interface ImportedName {
  readonly request: number;
  readonly imported: string;
  readonly local: string;
}

/** An exported name: of a variable of the module, or of another module (`*` is its namespace). */
export type ExportedName =
  | { readonly exported: string; readonly local: string; readonly stable: boolean }
  | { readonly exported: string; readonly request: number; readonly imported: string };

/** A source with its module syntax taken out, and what that was. */
export interface ModuleSyntax {
  /** With the same lines as before. */
  readonly code: string;
  /** Whether there was an `import` or `export` declaration, or `import.meta`. */
  readonly isModule: boolean;
  /** May await at its top level. */
  readonly awaits: boolean;
  /** The modules that it names, in the order in which they are evaluated. */
  readonly requests: readonly string[];
  readonly imports: readonly ImportedName[];
  readonly exports: readonly ExportedName[];
  /** `export * from`. */
  readonly stars: readonly number[];
}

/**
 * What the changed source calls instead of `import(…)` and `import.meta`, and where `export default` is kept. No longer
 * than what they replace, so that columns stay as they are, too.
 */
export const moduleNames = {
  dynamicImport: '__impt',
  meta: '__impt_meta',
  defaultExport: '__dfault',
} as const;

/**
 * Takes the module syntax out of a source, so that it can be the body of a function. Only declarations at the top level
 * are looked at, and `import(…)` and `import.meta` anywhere: V8 itself checks all the rest when it compiles the result.
 *
 * @throws SyntaxError for what cannot be a module.
 */
export function moduleSyntax(source: string): ModuleSyntax {
  return new ModuleReader(source).read();
}

class ModuleReader {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  readonly #edits: { readonly start: number; readonly end: number; readonly text: string }[] = [];
  readonly #requests: string[] = [];
  readonly #imports: ImportedName[] = [];
  readonly #exports: ExportedName[] = [];
  readonly #stars: number[] = [];
  #isModule = false;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokensOf(source);
  }

  read(): ModuleSyntax {
    if (this.#source.startsWith('#!')) this.#edits.push({ start: 0, end: 2, text: '//' });
    while (this.#at < this.#tokens.length) this.#next();
    return {
      code: this.#edited(),
      isModule: this.#isModule,
      awaits: this.#tokens.some(({ kind, value }) => kind === 'word' && value === 'await'),
      requests: this.#requests,
      imports: this.#imports,
      exports: this.#exports,
      stars: this.#stars,
    };
  }

  #next(): void {
    const token = this.#tokens[this.#at] as Token;
    const [before, after] = [this.#value(-1), this.#value(1)];
    const isWord = token.kind === 'word' && before !== '.' && before !== '?.' && after !== ':';
    if (isWord && token.value === 'import') {
      if (after === '(') this.#replace(token, moduleNames.dynamicImport);
      else if (after === '.') {
        this.#isModule = true;
        this.#blank(token.start, this.#ahead(2).end, moduleNames.meta);
        this.#at += 2;
      } else if (token.depth === 0) return this.#import();
    } else if (isWord && token.value === 'export' && token.depth === 0) return this.#export();
    this.#at += 1;
  }

  #import(): void {
    this.#isModule = true;
    const from = this.#ahead(0);
    this.#at += 1;
    const names: [imported: string, local: string][] = [];
    if (this.#ahead(0).kind !== 'text') {
      while (this.#value(0) !== 'from' || this.#value(1) === 'from' || this.#value(1) === ',') {
        if (this.#value(0) === '{') names.push(...this.#list());
        else if (this.#value(0) === '*') {
          names.push(['*', this.#ahead(2).value]);
          this.#at += 3;
        } else if (this.#value(0) === ',') this.#at += 1;
        else {
          names.push(['default', this.#ahead(0).value]);
          this.#at += 1;
        }
      }
      this.#at += 1;
    }
    const request = this.#request();
    for (const [imported, local] of names) this.#imports.push({ request, imported, local });
    this.#blank(from.start, this.#ahead(-1).end, ';');
  }

  #export(): void {
    this.#isModule = true;
    const from = this.#ahead(0);
    this.#at += 1;
    const what = this.#value(0);
    if (what === '{') this.#exportList(from);
    else if (what === '*') this.#exportStar(from);
    else if (what === 'default') this.#exportDefault(from);
    else {
      this.#blank(from.start, from.end, '');
      if (what === 'const' || what === 'let' || what === 'var') this.#exportVariables(what === 'const');
      else this.#exportLocal(this.#declaredName());
    }
  }

  #exportList(from: Token): void {
    const names = this.#list();
    if (this.#value(0) === 'from') {
      this.#at += 1;
      const request = this.#request();
      for (const [imported, exported] of names) this.#exports.push({ exported, request, imported });
    } else {
      for (const [local, exported] of names) {
        this.#exports.push({ exported, local, stable: this.#isStable(local) });
      }
    }
    this.#blank(from.start, this.#ahead(-1).end, ';');
  }

  #exportStar(from: Token): void {
    this.#at += 1;
    let exported: string | null = null;
    if (this.#value(0) === 'as') {
      exported = nameOf(this.#ahead(1));
      this.#at += 2;
    }
    this.#at += 1;
    const request = this.#request();
    if (exported === null) this.#stars.push(request);
    else this.#exports.push({ exported, request, imported: '*' });
    this.#blank(from.start, this.#ahead(-1).end, ';');
  }

  #exportDefault(from: Token): void {
    const { end } = this.#ahead(0);
    this.#at += 1;
    const what = this.#value(0);
    const isFunction = what === 'function' || (what === 'async' && this.#value(1) === 'function');
    const name = isFunction || what === 'class' ? this.#declaredName() : null;
    if (name !== null && name !== '' && name !== 'extends') {
      this.#blank(from.start, end, '');
      this.#exports.push({ exported: 'default', local: name, stable: true });
      return;
    }
    this.#blank(from.start, end, `let ${moduleNames.defaultExport}=`);
    this.#exports.push({ exported: 'default', local: moduleNames.defaultExport, stable: true });
    // What was a declaration is an expression now, which whatever comes behind it must not go on with.
    if (name !== null) this.#endBehindBody();
  }

  #endBehindBody(): void {
    const open = this.#tokens.findIndex(
      ({ value, depth }, i) => i > this.#at && value === '{' && depth === 0,
    );
    const close = this.#tokens.find(({ value, depth }, i) => i > open && value === '}' && depth === 0);
    if (close !== undefined) this.#edits.push({ start: close.end, end: close.end, text: ';' });
  }

  /** The name behind `function`, `function*`, `async function` or `class`; nothing when it has none. */
  #declaredName(): string {
    let ahead = this.#value(0) === 'async' ? 2 : 1;
    if (this.#value(ahead) === '*') ahead += 1;
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === 'word' ? token.value : '';
  }

  #exportLocal(local: string): void {
    this.#exports.push({ exported: local, local, stable: true });
  }

  /** The names of `a = 1, b = [2, 3], c`: each one behind the keyword or behind a comma of the declaration itself. */
  #exportVariables(stable: boolean): void {
    let expectsName = true;
    for (let i = this.#at + 1; i < this.#tokens.length; i += 1) {
      const token = this.#tokens[i] as Token;
      if (token.depth > 0) continue;
      if (token.value === ';') return;
      if (expectsName) {
        const names = token.kind === 'word' ? [token.value] : this.#patternNames(i);
        for (const name of names) this.#exports.push({ exported: name, local: name, stable });
        expectsName = false;
      } else if (token.value === ',' && token.kind === 'punctuator') expectsName = true;
      else if (token.afterNewline && endsStatement(this.#tokens[i - 1] as Token, token)) return;
    }
  }

  /** What a pattern such as `{ a, b: [c], d = 1 }` binds. */
  #patternNames(from: number): string[] {
    const names: string[] = [];
    for (let i = from + 1; (this.#tokens[i]?.depth ?? 0) > 0; i += 1) {
      const [before, token, after] = this.#tokens.slice(i - 1, i + 2);
      if (token?.kind !== 'word' || !/^(?:[{[,:]|\.{3})$/.test(before?.value ?? '')) continue;
      if (/^[,}\]=]$/.test(after?.value ?? '')) names.push(token.value);
    }
    return names;
  }

  /** `{ a, b as c, default as d }`, as pairs of what stands before and behind `as`. */
  #list(): [string, string][] {
    const names: [string, string][] = [];
    this.#at += 1;
    while (this.#value(0) !== '}') {
      const first = this.#ahead(0);
      const renamed = this.#value(1) === 'as' && this.#value(2) !== ',' && this.#value(2) !== '}';
      names.push([nameOf(first), nameOf(renamed ? this.#ahead(2) : first)]);
      this.#at += renamed ? 3 : 1;
      if (this.#value(0) === ',') this.#at += 1;
    }
    this.#at += 1;
    return names;
  }

  /** The name of a module, with the attributes behind it. */
  #request(): number {
    const name = nameOf(this.#ahead(0));
    this.#at += 1;
    if ((this.#value(0) === 'with' || this.#value(0) === 'assert') && this.#value(1) === '{') {
      while (this.#value(0) !== '}') this.#at += 1;
      this.#at += 1;
    }
    if (this.#value(0) === ';') this.#at += 1;
    const known = this.#requests.indexOf(name);
    return known >= 0 ? known : this.#requests.push(name) - 1;
  }

  /** Whether a variable of the module always is what it was first: a constant, a function, a class. */
  #isStable(local: string): boolean {
    return this.#tokens.some((token, i) => {
      if (token.kind !== 'word' || token.value !== local || token.depth > 0) return false;
      const before = this.#tokens[i - 1]?.value ?? '';
      return ['const', 'function', 'class', '*'].includes(before);
    });
  }

  #value(ahead: number): string {
    return this.#tokens[this.#at + ahead]?.value ?? '';
  }

  #ahead(ahead: number): Token {
    const token = this.#tokens[this.#at + ahead];
    if (token === undefined) throw new SyntaxError('an import or export has no end');
    return token;
  }

  #replace(token: Token, text: string): void {
    this.#edits.push({ start: token.start, end: token.end, text });
  }

  /** Replaces a piece and keeps its line breaks and its width, so that stacks show the places of the file. */
  #blank(start: number, end: number, text: string): void {
    const lines = this.#source.slice(start, end).split('\n');
    const last = lines.pop() ?? '';
    const blank = ' '.repeat(Math.max(last.length - (lines.length === 0 ? text.length : 0), 0));
    this.#edits.push({ start, end, text: text + '\n'.repeat(lines.length) + blank });
  }

  #edited(): string {
    const parts: string[] = [];
    let at = 0;
    for (const { start, end, text } of this.#edits.sort((a, b) => a.start - b.start)) {
      parts.push(this.#source.slice(at, start), text);
      at = end;
    }
    return parts.join('') + this.#source.slice(at);
  }
}

function nameOf(token: Token): string {
  if (token.kind === 'word') return token.value;
  if (token.kind !== 'text' || token.value.startsWith('`')) {
    throw new SyntaxError(`${token.value} stands where an import or export has a name`);
  }
  const text = token.value.slice(1, -1);
  return JSON.parse(`"${text.replaceAll(/\\'/g, "'").replaceAll(/(^|[^\\])"/g, '$1\\"')}"`) as string;
}

/** Whether a line break between two tokens ends the statement. */
function endsStatement(before: Token, after: Token): boolean {
  const operandEnded = before.kind !== 'punctuator' || [')', ']', '}', '++', '--'].includes(before.value);
  const goesOn = after.kind === 'punctuator' ? !['{', '++', '--', '@'].includes(after.value) : /^(in|instanceof)$/.test(after.value); // prettier-ignore
  return operandEnded && !goesOn;
}
