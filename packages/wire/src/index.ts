export * from './generated/index.ts';
export { Codec, EMPTY_BYTES, EMPTY_LIST } from './protobuf/codec.ts';
export type { MethodDescriptor, MethodKind, ServiceDescriptor } from './protobuf/service.ts';
