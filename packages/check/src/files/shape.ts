import { isRecord } from './json-values.ts';

/** Reads a value that came from outside, or throws in words that say where it is not what it should be. */
export type Shape<T> = (value: unknown, where: string) => T;

/** Always in order, so that a message is stable. */
type Fields<T> = { readonly [Name in keyof T]-?: Shape<T[Name]> };

export const text: Shape<string> = (value, where) => {
  if (typeof value === 'string') return value;
  throw wrong(where, 'a string', value);
};

export const whole: Shape<number> = (value, where) => {
  if (Number.isSafeInteger(value)) return value as number;
  throw wrong(where, 'a whole number', value);
};

export const flag: Shape<boolean> = (value, where) => {
  if (typeof value === 'boolean') return value;
  throw wrong(where, 'true or false', value);
};

/** Written as `{"$bigint":"12"}`, or as a plain number where that is exact. */
export const bigInteger: Shape<bigint> = (value, where) =>
  typeof value === 'bigint' ? value : BigInt(whole(value, where));

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value, where) => (value === null || value === undefined ? null : shape(value, where));
}

export function withDefault<T>(shape: Shape<T>, instead: T): Shape<T> {
  return (value, where) => (value === undefined ? instead : shape(value, where));
}

export function list<T>(shape: Shape<T>): Shape<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw wrong(where, 'a list', value);
    return value.map((element, at) => shape(element, `${where}[${at}]`));
  };
}

export function oneOf<T extends string>(...names: readonly T[]): Shape<T> {
  return (value, where) => {
    const found = names.find((name) => name === value);
    if (found === undefined) throw wrong(where, `one of ${names.join(', ')}`, value);
    return found;
  };
}

/** An object with these fields and no other: a misspelled one would be taken for one that is not there. */
export function record<T>(fields: Fields<T>): Shape<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return (value, where) => {
    if (!isRecord(value)) throw wrong(where, 'an object', value);
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(fields, name)) throw new Error(`${where} has the unknown field ${name}`);
    }
    const read: Partial<T> = {};
    for (const name of names) read[name] = fields[name](value[name], `${where}.${name}`);
    return read as T;
  };
}

/** The one of a union that may have this type, also where it may have others. */
type OfType<T, Type> = T extends { readonly type: infer Types } ? (Type extends Types ? T : never) : never;

/** An object whose `type` says which fields it has. */
export function variants<T extends { readonly type: string }>(shapes: {
  readonly [Type in T['type']]: Fields<Omit<OfType<T, Type>, 'type'>>;
}): Shape<T> {
  const types = Object.keys(shapes) as T['type'][];
  const byType = new Map<string, Shape<T>>();
  for (const type of types) {
    byType.set(type, record({ type: oneOf(type), ...shapes[type] } as unknown as Fields<T>));
  }
  return (value, where) => {
    if (!isRecord(value)) throw wrong(where, 'an object', value);
    const shape = typeof value['type'] === 'string' ? byType.get(value['type']) : undefined;
    if (shape === undefined) throw wrong(`${where}.type`, `one of ${types.join(', ')}`, value['type']);
    return shape(value, where);
  };
}

function wrong(where: string, wanted: string, value: unknown): Error {
  return new Error(`has a bad ${where}: it must be ${wanted}, and is ${show(value)}`);
}

function show(value: unknown): string {
  if (value === undefined) return 'not there';
  const written =
    typeof value === 'bigint' ? String(value) : (JSON.stringify(value, bigints) ?? typeof value);
  return written.length > shownCharacters ? `${written.slice(0, shownCharacters)}…` : written;
}

function bigints(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

const shownCharacters = 80;
