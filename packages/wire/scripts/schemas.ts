import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

/** One file of `proto/`, as the generator sees it. */
export interface Schema {
  readonly name: string;
  readonly enums: readonly protobuf.Enum[];
  readonly messages: readonly protobuf.Type[];
  readonly services: readonly protobuf.Service[];
}

export interface Schemas {
  /** protobufjs's own view: the oracle of the tests. */
  readonly root: protobuf.Root;
  readonly files: readonly Schema[];
}

const PROTO = fileURLToPath(new URL('../proto', import.meta.url));
/** In the order of their imports. */
const NAMES = ['kv', 'auth', 'rpc', 'v3lock', 'v3election', 'health', 'flotilla'];

export function loadSchemas(): Schemas {
  const root = new protobuf.Root();
  const files = NAMES.map((name) => {
    const parsed = protobuf.parse(readFileSync(join(PROTO, `${name}.proto`), 'utf8'), root, {
      keepCase: true,
    });
    const content = root.lookup(parsed.package ?? '');
    if (!(content instanceof protobuf.Namespace)) throw new Error(`${name}.proto names no package`);
    return schemaOf(name, content);
  });
  root.resolveAll();
  return { root, files };
}

function schemaOf(name: string, content: protobuf.Namespace): Schema {
  const enums: protobuf.Enum[] = [];
  const messages: protobuf.Type[] = [];
  const services: protobuf.Service[] = [];
  const visit = (object: protobuf.ReflectionObject): void => {
    if (object instanceof protobuf.Type) {
      messages.push(object);
      object.nestedArray.forEach(visit);
    } else if (object instanceof protobuf.Enum) enums.push(object);
    else if (object instanceof protobuf.Service) services.push(object);
    else throw new Error(`${object.fullName} is of a kind that the generator does not know`);
  };
  content.nestedArray.forEach(visit);
  return { name, enums, messages, services };
}

export interface Field {
  /** As in the schema. */
  readonly name: string;
  /** As in the generated interface. */
  readonly property: string;
  readonly number: number;
  readonly type: FieldType;
  readonly repeated: boolean;
}

export type FieldType =
  | { readonly kind: ScalarKind }
  | { readonly kind: 'enum'; readonly name: string }
  | { readonly kind: 'message'; readonly name: string };

/** `int64Exact` keeps all 64 bits as a bigint, `int64` is a safe integer. */
export type ScalarKind = 'bytes' | 'string' | 'bool' | 'int32' | 'uint32' | 'int64' | 'int64Exact' | 'uint64';

/** A property of the generated interface. A oneof stands at the place of its first field. */
export type Member =
  | { readonly kind: 'field'; readonly property: string; readonly field: Field }
  | { readonly kind: 'oneof'; readonly property: string; readonly fields: readonly Field[] };

/** In the order of their numbers. */
export function membersOf(message: protobuf.Type): readonly Member[] {
  const members: Member[] = [];
  const done = new Set<protobuf.OneOf>();
  for (const field of byNumber(message.fieldsArray)) {
    if (field.partOf === null) {
      members.push({ kind: 'field', property: propertyName(field.name), field: fieldOf(field) });
    } else if (!done.has(field.partOf)) {
      done.add(field.partOf);
      const fields = byNumber(field.partOf.fieldsArray).map(fieldOf);
      members.push({ kind: 'oneof', property: propertyName(field.partOf.name), fields });
    }
  }
  return members;
}

/** In camelCase, acronyms too: `peerURLs` is `peerUrls`, `remaining_TTL` is `remainingTtl`. */
export function propertyName(name: string): string {
  const calm = name.replace(
    /([A-Z])([A-Z]+s?)$/,
    (_, first: string, rest: string) => first + rest.toLowerCase(),
  );
  const camel = calm.replace(/_([A-Za-z])/g, (_, letter: string) => letter.toUpperCase());
  return camel.charAt(0).toLowerCase() + camel.slice(1);
}

/** `Type` alone says nothing outside its message: `Permission.Type` is `PermissionType`. */
export function enumName(type: protobuf.Enum): string {
  return type.name === 'Type' ? `${type.parent?.name ?? ''}Type` : type.name;
}

function byNumber(fields: readonly protobuf.Field[]): protobuf.Field[] {
  return [...fields].sort((a, b) => a.id - b.id);
}

function fieldOf(field: protobuf.Field): Field {
  if (field instanceof protobuf.MapField) throw new Error(`${field.fullName} is a map`);
  return {
    name: field.name,
    property: propertyName(field.name),
    number: field.id,
    type: fieldType(field),
    repeated: field.repeated,
  };
}

function fieldType(field: protobuf.Field): FieldType {
  if (field.resolvedType instanceof protobuf.Enum)
    return { kind: 'enum', name: enumName(field.resolvedType) };
  if (field.resolvedType instanceof protobuf.Type) return { kind: 'message', name: field.resolvedType.name };
  switch (field.type) {
    case 'int64':
      return { kind: field.options?.['jstype'] === 'JS_STRING' ? 'int64Exact' : 'int64' };
    case 'bytes':
    case 'string':
    case 'bool':
    case 'int32':
    case 'uint32':
    case 'uint64':
      return { kind: field.type };
    default:
      throw new Error(`${field.fullName} is of type ${field.type}, which the generator does not know`);
  }
}
