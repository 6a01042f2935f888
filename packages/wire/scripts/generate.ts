import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { enumName, loadSchemas, membersOf } from './schemas.ts';
import type { Field, FieldType, Member, Schema } from './schemas.ts';

/**
 * Generates `src/generated/*.ts` from `proto/*.proto`: for each message an interface and a codec of the same name, for
 * each enum a const object, for each service a descriptor. `npm run generate -w @flotilla/wire` writes the files; they are committed,
 * and a test compares them with this function's answer. Answers text by file name.
 */
export function generate(): ReadonlyMap<string, string> {
  const { files } = loadSchemas();
  const homes = new Map<protobuf.Type, string>();
  for (const file of files) for (const message of file.messages) homes.set(message, file.name);
  const texts = new Map<string, string>();
  for (const file of files) texts.set(`${file.name}.ts`, generateFile(file, homes));
  texts.set(
    'index.ts',
    [HEADER, ...files.map((file) => `export * from './${file.name}.ts';`), ''].join('\n'),
  );
  texts.set('json.ts', generateJson(files));
  return texts;
}

export const GENERATED = fileURLToPath(new URL('../src/generated', import.meta.url));
const HEADER = '// Written by scripts/generate.ts from the schemas in proto/. Change those, not this.';

type Homes = ReadonlyMap<protobuf.Type, string>;

function generateFile(schema: Schema, homes: Homes): string {
  const body = [
    ...schema.enums.map(generateEnum),
    ...schema.messages.map(generateMessage),
    ...schema.services.map(generateService),
  ].join('\n\n');
  return [HEADER, ...imports(schema, homes, body), '', body, ''].join('\n');
}

function imports(schema: Schema, homes: Homes, body: string): readonly string[] {
  const codecNames = ['Codec', 'EMPTY_BYTES', 'EMPTY_LIST'].filter((name) => body.includes(name));
  const lines = [
    `import { ${codecNames.join(', ')} } from '../protobuf/codec.ts';`,
    `import type { Reader } from '../protobuf/reader.ts';`,
    ...(schema.services.length > 0 ? [`import { method } from '../protobuf/service.ts';`] : []),
    `import type { Writer } from '../protobuf/writer.ts';`,
  ];
  const foreign = new Map<string, Set<string>>();
  for (const field of schema.messages.flatMap((message) => message.fieldsArray)) {
    if (!(field.resolvedType instanceof protobuf.Type)) continue;
    const home = homes.get(field.resolvedType);
    if (home === undefined || home === schema.name) continue;
    foreign.set(home, (foreign.get(home) ?? new Set<string>()).add(field.resolvedType.name));
  }
  for (const [home, names] of foreign) {
    lines.push(`import { ${[...names].sort().join(', ')} } from './${home}.ts';`);
  }
  return lines;
}

function generateEnum(type: protobuf.Enum): string {
  const name = enumName(type);
  return [
    `/** Open, as proto3's enums are: a value from a newer version is kept as its number. */`,
    `export type ${name} = number;`,
    `export const ${name} = {`,
    ...Object.entries(type.values).map(([key, value]) => `  ${key}: ${value},`),
    `} as const;`,
  ].join('\n');
}

function generateMessage(message: protobuf.Type): string {
  const members = membersOf(message);
  const name = message.name;
  return [
    ...generateInterface(name, members),
    ``,
    `export const ${name}: Codec<${name}> = new Codec<${name}>(`,
    `  '${message.fullName.slice(1)}',`,
    `  create${name},`,
    `  write${name},`,
    `  read${name},`,
    `);`,
    ``,
    ...generateCreate(name, members),
    ``,
    ...generateWrite(name, members),
    ``,
    ...generateRead(name, members),
  ].join('\n');
}

function generateService(service: protobuf.Service): string {
  const fullName = service.fullName.slice(1);
  return [
    `export const ${service.name} = {`,
    `  name: '${fullName}',`,
    `  methods: {`,
    ...service.methodsArray.map((rpc) => {
      const parts = [`'/${fullName}/${rpc.name}'`, rpc.requestType, rpc.responseType, `'${methodKind(rpc)}'`];
      return `    ${rpc.name}: method(${parts.join(', ')}),`;
    }),
    `  },`,
    `} as const;`,
  ].join('\n');
}

function methodKind(rpc: protobuf.Method): string {
  if (rpc.requestStream === true) return rpc.responseStream === true ? 'bidi' : 'client-stream';
  return rpc.responseStream === true ? 'server-stream' : 'unary';
}

function typeScriptType(type: FieldType): string {
  switch (type.kind) {
    case 'bytes':
      return 'Uint8Array';
    case 'string':
      return 'string';
    case 'bool':
      return 'boolean';
    case 'int32':
    case 'uint32':
    case 'int64':
      return 'number';
    case 'int64Exact':
    case 'uint64':
      return 'bigint';
    case 'enum':
    case 'message':
      return type.name;
  }
}

function memberType(member: Member): string {
  if (member.kind === 'oneof') {
    const cases = member.fields.map(
      ({ property, type }) => `{ readonly case: '${property}'; readonly value: ${typeScriptType(type)} }`,
    );
    return `${cases.join(' | ')} | null`;
  }
  const type = typeScriptType(member.field.type);
  if (member.field.repeated) return `readonly ${type}[]`;
  return member.field.type.kind === 'message' ? `${type} | null` : type;
}

function generateInterface(name: string, members: readonly Member[]): readonly string[] {
  // An interface without fields would take any object for the message.
  if (members.length === 0) return [`export type ${name} = Readonly<Record<string, never>>;`];
  return [
    `export interface ${name} {`,
    ...members.map((member) => `  readonly ${member.property}: ${memberType(member)};`),
    `}`,
  ];
}

function generateCreate(name: string, members: readonly Member[]): readonly string[] {
  if (members.length === 0) return [`function create${name}(): ${name} {`, `  return {};`, `}`];
  return [
    `function create${name}(partial?: Partial<${name}>): ${name} {`,
    `  return {`,
    ...members.map(
      (member) => `    ${member.property}: partial?.${member.property} ?? ${defaultOf(member)},`,
    ),
    `  };`,
    `}`,
  ];
}

function defaultOf(member: Member): string {
  if (member.kind === 'oneof') return 'null';
  if (member.field.repeated) return 'EMPTY_LIST';
  switch (member.field.type.kind) {
    case 'bytes':
      return 'EMPTY_BYTES';
    case 'string':
      return `''`;
    case 'bool':
      return 'false';
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'enum':
      return '0';
    case 'int64Exact':
    case 'uint64':
      return '0n';
    case 'message':
      return 'null';
  }
}

const WIRE_TYPE_VARINT = 0;
const WIRE_TYPE_LENGTH = 2;

function wireTypeOf(type: FieldType): number {
  switch (type.kind) {
    case 'bytes':
    case 'string':
    case 'message':
      return WIRE_TYPE_LENGTH;
    case 'bool':
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'int64Exact':
    case 'uint64':
    case 'enum':
      return WIRE_TYPE_VARINT;
  }
}

function tagOf(field: Field, wireType = wireTypeOf(field.type)): number {
  return field.number * 8 + wireType;
}

/** The method of Reader and of Writer that handles the type. */
function accessor(type: FieldType): string {
  return type.kind === 'enum' ? 'int32' : type.kind;
}

/** The writer goes from the end of the message to its start, so fields come in reverse, values before tags. */
function generateWrite(name: string, members: readonly Member[]): readonly string[] {
  if (members.length === 0) return [`function write${name}(): void {}`];
  return [
    `function write${name}(writer: Writer, message: ${name}): void {`,
    ...[...members].reverse().flatMap((member) => indent(2, writeMember(member))),
    `}`,
  ];
}

function indent(spaces: number, lines: readonly string[]): readonly string[] {
  return lines.map((line) => ' '.repeat(spaces) + line);
}

function writeMember(member: Member): readonly string[] {
  if (member.kind === 'oneof') return writeOneof(member.property, member.fields);
  const value = `message.${member.property}`;
  if (member.field.repeated) return writeRepeated(member.field, value);
  return [`if (${isPresent(member.field, value)}) {`, ...indent(2, writeOne(member.field, value)), `}`];
}

function isPresent(field: Field, value: string): string {
  switch (field.type.kind) {
    case 'bytes':
    case 'string':
      return `${value}.length > 0`;
    case 'bool':
      return value;
    case 'message':
      return `${value} !== null`;
    case 'int64Exact':
    case 'uint64':
      return `${value} !== 0n`;
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'enum':
      return `${value} !== 0`;
  }
}

function writeOne(field: Field, value: string): readonly string[] {
  const tag = `writer.varint32(${tagOf(field)});`;
  if (field.type.kind !== 'message') return [`writer.${accessor(field.type)}(${value});`, tag];
  return [
    `const end = writer.size;`,
    `${field.type.name}.write(writer, ${value});`,
    `writer.varint32(writer.size - end);`,
    tag,
  ];
}

function writeRepeated(field: Field, list: string): readonly string[] {
  const loop = `for (let index = ${list}.length - 1; index >= 0; index -= 1) {`;
  const item = `${list}[index] as ${typeScriptType(field.type)}`;
  if (wireTypeOf(field.type) === WIRE_TYPE_LENGTH) return [loop, ...indent(2, writeOne(field, item)), `}`];
  return [
    `if (${list}.length > 0) {`,
    `  const end = writer.size;`,
    `  ${loop}`,
    `    writer.${accessor(field.type)}(${item});`,
    `  }`,
    `  writer.varint32(writer.size - end);`,
    `  writer.varint32(${tagOf(field, WIRE_TYPE_LENGTH)});`,
    `}`,
  ];
}

/** The chosen case is written even when its value is the default: it says which case it is. */
function writeOneof(property: string, fields: readonly Field[]): readonly string[] {
  return [
    `const { ${property} } = message;`,
    `switch (${property}?.case) {`,
    ...fields.flatMap((field) => [
      `  case '${field.property}': {`,
      ...indent(4, writeOne(field, `${property}.value`)),
      `    break;`,
      `  }`,
    ]),
    `  case undefined:`,
    `    break;`,
    `}`,
  ];
}

/**
 * Reading starts from `base`, the empty message or, when a sub-message comes twice, what its first part gave: protobuf
 * merges the two.
 */
function generateRead(name: string, members: readonly Member[]): readonly string[] {
  return [
    `function read${name}(reader: Reader, base: ${name}): ${name} {`,
    ...members.map((member) => `  ${declareLocal(member)}`),
    `  while (reader.more()) {`,
    `    const tag = reader.tag();`,
    `    switch (tag) {`,
    ...members.flatMap((member) => indent(6, readMember(member))),
    `      default:`,
    `        reader.skip(tag);`,
    `    }`,
    `  }`,
    ...(members.length === 0
      ? [`  return base;`]
      : [`  return {`, ...members.map((member) => `    ${resultOf(member)},`), `  };`]),
    `}`,
  ];
}

function isList(member: Member): boolean {
  return member.kind === 'field' && member.field.repeated;
}

function declareLocal(member: Member): string {
  if (member.kind === 'field' && isList(member)) {
    return `let ${member.property}: ${typeScriptType(member.field.type)}[] | null = null;`;
  }
  return `let ${member.property} = base.${member.property};`;
}

function resultOf(member: Member): string {
  return isList(member)
    ? `${member.property}: ${member.property} ?? base.${member.property}`
    : member.property;
}

function readMember(member: Member): readonly string[] {
  if (member.kind === 'oneof') return member.fields.flatMap((field) => readCase(member.property, field));
  return member.field.repeated ? readRepeated(member.field) : readSingle(member.field);
}

function readSingle(field: Field): readonly string[] {
  const { property, type } = field;
  if (type.kind !== 'message') {
    return [`case ${tagOf(field)}:`, `  ${property} = reader.${accessor(type)}();`, `  break;`];
  }
  return readMessage(field, [`${property} = ${type.name}.read(reader, ${property} ?? ${type.name}.empty);`]);
}

function readRepeated(field: Field): readonly string[] {
  const { property, type } = field;
  const list = `(${property} ??= [...base.${property}])`;
  if (type.kind === 'message') {
    return readMessage(field, [`${list}.push(${type.name}.read(reader, ${type.name}.empty));`]);
  }
  const one = [`case ${tagOf(field)}:`, `  ${list}.push(reader.${accessor(type)}());`, `  break;`];
  if (wireTypeOf(type) === WIRE_TYPE_LENGTH) return one;
  // Readers must take both forms, whichever the schema's version writes.
  return [
    ...one,
    `case ${tagOf(field, WIRE_TYPE_LENGTH)}: {`,
    `  const outer = reader.beginPacked();`,
    `  while (reader.more()) ${list}.push(reader.${accessor(type)}());`,
    `  reader.endPacked(outer);`,
    `  break;`,
    `}`,
  ];
}

function readCase(oneof: string, field: Field): readonly string[] {
  const { property, type } = field;
  if (type.kind !== 'message') {
    return [
      `case ${tagOf(field)}:`,
      `  ${oneof} = { case: '${property}', value: reader.${accessor(type)}() };`,
      `  break;`,
    ];
  }
  return readMessage(field, [
    `const first: ${type.name} = ${oneof}?.case === '${property}' ? ${oneof}.value : ${type.name}.empty;`,
    `${oneof} = { case: '${property}', value: ${type.name}.read(reader, first) };`,
  ]);
}

function readMessage(field: Field, body: readonly string[]): readonly string[] {
  return [
    `case ${tagOf(field)}: {`,
    `  const outer = reader.enter();`,
    ...indent(2, body),
    `  reader.leave(outer);`,
    `  break;`,
    `}`,
  ];
}

/** What JSON needs to know about every message. */
function generateJson(files: readonly Schema[]): string {
  const body = [
    `export const jsonFields: Readonly<Record<string, () => readonly JsonField[]>> = {`,
    ...files.flatMap((file) => file.messages).flatMap((message) => indent(2, jsonMessage(message))),
    `};`,
  ].join('\n');
  const imports = files.flatMap((file) => {
    const names = [...file.messages.map(({ name }) => name), ...file.enums.map(enumName)];
    const used = names.filter((name) => new RegExp(`: ${name} }`).test(body)).sort();
    return used.length === 0 ? [] : [`import { ${used.join(', ')} } from './${file.name}.ts';`];
  });
  return [HEADER, `import type { JsonField } from '../json/schema.ts';`, ...imports, '', body, ''].join('\n');
}

function jsonMessage(message: protobuf.Type): readonly string[] {
  const fields = membersOf(message).flatMap((member) =>
    member.kind === 'field'
      ? [jsonField(member.field, null)]
      : member.fields.map((field) => jsonField(field, member.property)),
  );
  const name = message.fullName.slice(1);
  if (fields.length === 0) return [`'${name}': () => [],`];
  return [`'${name}': () => [`, ...fields.map((field) => `  { ${field} },`), `],`];
}

function jsonField(field: Field, oneof: string | null): string {
  const { name, property, type, repeated } = field;
  return [
    `name: '${name}'`,
    `property: '${property}'`,
    ...(repeated ? ['repeated: true'] : []),
    ...(oneof === null ? [] : [`oneof: '${oneof}'`]),
    `type: '${type.kind}'`,
    ...(type.kind === 'enum' ? [`values: ${type.name}`] : []),
    ...(type.kind === 'message' ? [`codec: ${type.name}`] : []),
  ].join(', ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(GENERATED, { recursive: true });
  for (const [name, text] of generate()) writeFileSync(join(GENERATED, name), text);
}
