/**
 * What JSON needs to know about a field and binary codecs do not: names. The generator writes one list per message
 * (`generated/json.ts`), each behind a function, so that a server nobody sends JSON to pays for none.
 */
export type JsonField = JsonFieldBase &
  (
    | { readonly type: ScalarKind }
    | { readonly type: 'enum'; readonly values: Readonly<Record<string, number>> }
    | { readonly type: 'message'; readonly codec: AnyCodec }
  );

type ScalarKind = 'bytes' | 'string' | 'bool' | 'int32' | 'uint32' | 'int64' | 'int64Exact' | 'uint64';

interface JsonFieldBase {
  /** As in the schema: `range_end`. */
  readonly name: string;
  /** As in the generated interface: `rangeEnd`. */
  readonly property: string;
  readonly repeated?: true;
  /** The property of the generated interface that says which of several fields is set. */
  readonly oneof?: string;
}

/** A codec of any message. */
export interface AnyCodec {
  readonly name: string;
  readonly create: (partial?: never) => unknown;
}

export interface JsonSchema {
  /** In the order in which they are written. */
  readonly fields: readonly JsonField[];
  /** By both names that protobuf's JSON mapping accepts: `range_end` and `rangeEnd`. */
  readonly byName: ReadonlyMap<string, JsonField>;
}

export function schemaOfFields(fields: readonly JsonField[]): JsonSchema {
  const byName = new Map<string, JsonField>();
  for (const field of fields) {
    byName.set(jsonName(field.name), field);
    byName.set(field.name, field);
  }
  return { fields, byName };
}

/** protobuf's rule: `range_end` is `rangeEnd`, `remaining_TTL` is `remainingTTL`. */
function jsonName(name: string): string {
  return name.replace(/_+(.?)/g, (_, letter: string) => letter.toUpperCase());
}
