import { FlotillaError, isFlotillaError, messageOf } from '@flotilla/platform';
import type { ErrorCode, Platform } from '@flotilla/platform';

/**
 * One thing that an implementation must do. `run` rejects with `FLOTILLA_CONFORMANCE` and a message that says what was
 * wanted and what came instead. Cases share nothing: they may run in any order, alone or again.
 *
 * @example
 * for (const { name, run } of transportConformance(makeBed)) test(name, run); // vitest, node:test, mocha, …
 */
export interface ConformanceCase {
  /** A statement of fact, as «bytes arrive in order». Unique and stable within its kit. */
  readonly name: string;
  /** Rejects with `FLOTILLA_CONFORMANCE` when the implementation breaks the rule. */
  readonly run: () => Promise<void>;
}

/** Runs a case: whatever it throws that it did not mean to throw is the implementation's, and breaks the contract too. */
export async function judged(check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (cause) {
    if (isFlotillaError(cause, 'FLOTILLA_CONFORMANCE')) throw cause;
    throw new FlotillaError('FLOTILLA_CONFORMANCE', `nothing may go wrong here: ${describe(cause)}`, {
      cause,
    });
  }
}

/** Throws `FLOTILLA_CONFORMANCE` unless the condition holds. */
export function demand(condition: boolean, message: string | (() => string)): asserts condition {
  if (condition) return;
  throw new FlotillaError('FLOTILLA_CONFORMANCE', typeof message === 'string' ? message : message());
}

/** Structural equality of plain data, told apart by its text. */
export function demandEqual(found: unknown, wanted: unknown, what: string): void {
  const [foundText, wantedText] = [textOf(found), textOf(wanted)];
  demand(foundText === wantedText, () => `${what}: wanted ${short(wantedText)}, found ${short(foundText)}`);
}

/** Demands that the call rejects with one of these codes. */
export async function demandRejection(
  call: Promise<unknown>,
  codes: readonly ErrorCode[],
  what: string,
): Promise<void> {
  let result: { readonly error: unknown } | null = null;
  try {
    await call;
  } catch (error) {
    result = { error };
  }
  demand(result !== null, () => `${what}: wanted a rejection with ${codes.join(' or ')}, and it resolved`);
  const { error } = result;
  const known = isFlotillaError(error) && codes.includes(error.code);
  demand(known, () => `${what}: wanted ${codes.join(' or ')}, and it rejected with ${describe(error)}`);
}

/** Waits for what must come; {@link demand}s that it comes while the platform's clock says that there is time. */
export function within<T>(
  platform: Platform,
  patienceMs: number,
  what: string,
  promise: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = platform.timer(patienceMs, 'conformance', () => {
      reject(new FlotillaError('FLOTILLA_CONFORMANCE', `${what} did not happen in ${patienceMs} ms`));
    });
    promise.finally(() => timer.cancel()).then(resolve, reject);
  });
}

/** Lets things happen that must not. */
export function pause(platform: Platform, durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    platform.timer(durationMs, 'conformance', resolve);
  });
}

function describe(error: unknown): string {
  return isFlotillaError(error) ? `${error.code} (${error.message})` : messageOf(error);
}

function short(text: string): string {
  return text.length <= 300 ? text : `${text.slice(0, 300)}…`;
}

function textOf(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`;
    return part instanceof Uint8Array ? [...part] : part;
  });
  return text ?? 'undefined';
}
