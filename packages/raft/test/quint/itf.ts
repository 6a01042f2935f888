/** A value of a trace in the Informal Trace Format: integers as numbers, sets as arrays, maps as lists of pairs. */
export type ItfValue =
  number | string | boolean | readonly ItfValue[] | { readonly [field: string]: ItfValue };

/** The value that a trace's JSON stands for. Throws where it is none that a specification of ours has. */
export function itfValue(json: unknown): ItfValue {
  if (typeof json === 'number' || typeof json === 'string' || typeof json === 'boolean') return json;
  if (Array.isArray(json)) return json.map(itfValue);
  if (typeof json !== 'object' || json === null)
    throw new Error(`no value of a trace: ${JSON.stringify(json)}`);
  const fields = json as Readonly<Record<string, unknown>>;
  if (typeof fields['#bigint'] === 'string') return integer(fields['#bigint']);
  for (const kind of ['#set', '#map', '#tup']) if (kind in fields) return itfValue(fields[kind]);
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, itfValue(value)]));
}

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error(`${text} is no number that a core could have`);
  return value;
}
