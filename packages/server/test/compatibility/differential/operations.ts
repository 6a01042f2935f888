import { Buffer } from 'node:buffer';
import {
  Auth,
  KV,
  Lease,
  type MethodDescriptor,
  type ServiceDescriptor,
  type WatchCreateRequest,
} from '@flotilla/wire';

/**
 * What both servers are asked. Plain data, and independent of where in a history it stands, so that a shorter list
 * still means something: revisions are relative (`now(-3)`), watches have names of the list's own (slots).
 */
export type Operation =
  | {
      readonly kind: 'call';
      /** `KV/Put` */
      readonly method: MethodName;
      readonly request: object;
      readonly as: string | null;
    }
  | {
      readonly kind: 'watch';
      readonly slot: number;
      readonly request: WatchCreateRequest;
      readonly as: string | null;
    }
  | { readonly kind: 'cancel'; readonly slot: number }
  | { readonly kind: 'keepAlive'; readonly id: bigint; readonly as: string | null };

export type MethodName = string;

/** Every unary method of the compared services by its short name. */
export const methods: ReadonlyMap<MethodName, MethodDescriptor<object, object, 'unary'>> = new Map(
  ([KV, Lease, Auth] as unknown as readonly ServiceDescriptor[]).flatMap((service) =>
    Object.entries(service.methods)
      .filter(([, method]) => method.kind === 'unary')
      .map(([name, method]) => [
        `${service.name.slice(service.name.indexOf('.') + 1)}/${name}`,
        method as unknown as MethodDescriptor<object, object, 'unary'>,
      ]),
  ),
);

/** Changes nothing: neighbours of this kind may be asked at the same time. */
export function isRead(operation: Operation): boolean {
  return operation.kind === 'call' && reads.has(operation.method);
}

const reads = new Set([
  'KV/Range',
  'Lease/LeaseTimeToLive',
  'Lease/LeaseLeases',
  'Auth/UserGet',
  'Auth/UserList',
  'Auth/RoleGet',
  'Auth/RoleList',
]);

/** A revision relative to the newest when the operation runs. */
export function now(offset = 0): number {
  return NOW + offset;
}

/** Far above every real number of a request, with room on both sides for offsets. */
const NOW = 1_000_000_000_000;
const MAX_OFFSET = 1_000_000;

/** The same request with real revisions, the first at least. */
export function resolve<T>(value: T, revision: number): T {
  if (typeof value === 'number') {
    return (Math.abs(value - NOW) <= MAX_OFFSET ? Math.max(value - NOW + revision, 1) : value) as T;
  }
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => resolve(item, revision)) as T;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name, resolve(field as unknown, revision)]),
  ) as T;
}

/** One line, without what has its default. */
export function describeOperation(operation: Operation): string {
  switch (operation.kind) {
    case 'call':
      return `${user(operation.as)}${operation.method} ${render(operation.request)}`;
    case 'watch':
      return `${user(operation.as)}watch #${operation.slot} ${render(operation.request)}`;
    case 'cancel':
      return `cancel watch #${operation.slot}`;
    case 'keepAlive':
      return `${user(operation.as)}Lease/LeaseKeepAlive {id: ${operation.id}}`;
  }
}

function user(as: string | null): string {
  return as === null ? '' : `[${as}] `;
}

/** A message as text: no defaults, bytes as text. Equal messages, and only those, have equal texts. */
export function render(value: unknown): string {
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('latin1'));
  if (Array.isArray(value)) return `[${value.map(render).join(', ')}]`;
  if (typeof value === 'number' && Math.abs(value - NOW) <= MAX_OFFSET) {
    return value === NOW ? 'now' : value < NOW ? `now-${NOW - value}` : `now+${value - NOW}`;
  }
  if (typeof value === 'string') return JSON.stringify(value);
  if (value === null || typeof value !== 'object') return String(value);
  const { case: choice, value: chosen } = value as { case?: string; value?: unknown };
  if (typeof choice === 'string') return `${choice} ${render(chosen)}`;
  const fields = Object.entries(value).filter(([, field]) => !isDefault(field));
  return `{${fields.map(([name, field]) => (field === true ? name : `${name}: ${render(field)}`)).join(', ')}}`;
}

function isDefault(field: unknown): boolean {
  if (field instanceof Uint8Array || Array.isArray(field)) return field.length === 0;
  return (
    field === undefined || field === null || field === 0 || field === 0n || field === false || field === ''
  );
}
