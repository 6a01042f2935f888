import { FlotillaError } from '@flotilla/platform';
import { coreLimits } from './limits.ts';
import type { MembershipChange, MembershipOperation, MembershipStep, NodeId } from './types.ts';

/*
 * The payload of an entry of kind `membership`, little endian:
 *
 *     version u8 = 1 │ transition u8 │ steps u16 │ (operation u8 │ id u64)* │ context u32 + bytes
 */
const version = 1;
const headerBytes = 4;
const stepBytes = 9;

const operations: readonly MembershipOperation[] = ['add-voter', 'add-learner', 'remove', 'update'];
const transitions: readonly MembershipChange['transition'][] = ['auto', 'implicit', 'explicit'];

const noContext = new Uint8Array(0);

/** The change that leaves a joint configuration. */
export const leaveJointChange: MembershipChange = Object.freeze({
  steps: [],
  transition: 'auto',
  context: noContext,
});

/**
 * @throws FLOTILLA_MEMBERSHIP_INVALID for more than `coreLimits.maxMembershipSteps` steps, a context of more than
 * `coreLimits.maxMembershipContextBytes`, or an id that is not a safe integer from 0.
 */
export function encodeMembershipChange(change: MembershipChange): Uint8Array {
  const problem = problemOf(change);
  if (problem !== null) throw new FlotillaError('FLOTILLA_MEMBERSHIP_INVALID', problem);
  const { steps, transition, context } = change;
  const contextAt = headerBytes + steps.length * stepBytes;
  const bytes = new Uint8Array(contextAt + 4 + context.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = version;
  bytes[1] = transitions.indexOf(transition);
  view.setUint16(2, steps.length, true);
  let at = headerBytes;
  for (const { operation, id } of steps) {
    bytes[at] = operations.indexOf(operation);
    view.setBigUint64(at + 1, BigInt(id), true);
    at += stepBytes;
  }
  view.setUint32(contextAt, context.length, true);
  bytes.set(context, contextAt + 4);
  return bytes;
}

/**
 * The context is a view of `payload`.
 *
 * @throws FLOTILLA_MEMBERSHIP_INVALID for anything that {@link encodeMembershipChange} has not written, a later version
 * among them.
 */
export function decodeMembershipChange(payload: Uint8Array): MembershipChange {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload.length < headerBytes + 4) throw damaged('is cut off');
  if (payload[0] !== version) throw damaged(`is of version ${payload[0]}, this is ${version}`);
  const transition = transitions[payload[1] as number];
  if (transition === undefined) throw damaged(`has transition ${payload[1]}`);
  const count = view.getUint16(2, true);
  const contextAt = headerBytes + count * stepBytes;
  if (count > coreLimits.maxMembershipSteps) throw damaged(`has ${count} steps`);
  if (payload.length < contextAt + 4) throw damaged('is cut off');
  const contextBytes = view.getUint32(contextAt, true);
  if (contextBytes > coreLimits.maxMembershipContextBytes)
    throw damaged(`has ${contextBytes} bytes of context`);
  if (payload.length !== contextAt + 4 + contextBytes) throw damaged('has another length than it says');
  const steps: MembershipStep[] = [];
  for (let at = headerBytes; at < contextAt; at += stepBytes) {
    const operation = operations[payload[at] as number];
    const id = Number(view.getBigUint64(at + 1, true));
    if (operation === undefined) throw damaged(`has operation ${payload[at]}`);
    if (!Number.isSafeInteger(id)) throw damaged(`names the id ${id}`);
    steps.push({ operation, id: id as NodeId });
  }
  return { steps, transition, context: payload.subarray(contextAt + 4) };
}

function problemOf({ steps, context }: MembershipChange): string | null {
  const { maxMembershipSteps, maxMembershipContextBytes } = coreLimits;
  if (steps.length > maxMembershipSteps)
    return `${steps.length} steps, at most ${maxMembershipSteps} are taken at once`;
  if (context.length > maxMembershipContextBytes) {
    return `a context of ${context.length} bytes, at most ${maxMembershipContextBytes} are taken`;
  }
  const bad = steps.find(({ id }) => !Number.isSafeInteger(id) || id < 0);
  return bad === undefined ? null : `the id ${bad.id} of a member`;
}

function damaged(what: string): FlotillaError {
  return new FlotillaError('FLOTILLA_MEMBERSHIP_INVALID', `a membership change ${what}`);
}
