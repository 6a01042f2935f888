import * as crypto from 'node:crypto';
import type { ProgramRuntime } from '../runtime.ts';
import { tracked, trackedModule } from '../tracked.ts';

const { hkdfSync, pbkdf2Sync, scryptSync } = { ...crypto };

type Done = (error: Error | null, value?: unknown) => void;

/** What computes something and neither draws nor waits. */
const pure = [
  'Certificate', 'Cipheriv', 'Decipheriv', 'Hash', 'Hmac', 'KeyObject', 'Verify', 'X509Certificate', 'constants',
  'createCipheriv', 'createDecipheriv', 'createHash', 'createHmac', 'createPrivateKey', 'createPublicKey',
  'createSecretKey', 'createVerify', 'getCipherInfo', 'getCiphers', 'getCurves', 'getFips', 'getHashes', 'hash',
  'hkdfSync', 'pbkdf2Sync', 'privateDecrypt', 'publicDecrypt', 'scryptSync', 'timingSafeEqual', 'verify',
]; // prettier-ignore

/** `node:crypto` and the global `crypto`, with the random source of a life. */
export class ProgramCrypto {
  readonly module: Record<string, unknown>;
  readonly web: Record<string, unknown>;
  readonly #runtime: ProgramRuntime;

  constructor(runtime: ProgramRuntime) {
    this.#runtime = runtime;
    const randomUUID = (): string => this.#uuid();
    const getRandomValues = <T extends ArrayBufferView>(array: T): T =>
      this.#fill(array, 0, array.byteLength);
    this.web = { getRandomValues, randomUUID, subtle: trackedSubtle(runtime) };
    const own = {
      getRandomValues, randomUUID, webcrypto: this.web, subtle: this.web['subtle'],
      randomBytes: (size: number, done?: Done) => this.#answer(this.#bytes(size), done),
      pseudoRandomBytes: (size: number, done?: Done) => this.#answer(this.#bytes(size), done),
      randomFillSync: (array: ArrayBufferView, offset = 0, size = array.byteLength - offset) => this.#fill(array, offset, size),
      randomFill: (array: ArrayBufferView, ...rest: unknown[]) => this.#randomFill(array, rest),
      randomInt: (...values: unknown[]) => this.#randomInt(values),
      pbkdf2: this.#deferred(pbkdf2Sync), scrypt: this.#deferred(scryptSync), hkdf: this.#deferred(hkdfSync),
    }; // prettier-ignore
    this.module = trackedModule(runtime, 'node:crypto', crypto, { own, pure });
    this.module['default'] = this.module;
  }

  #bytes(size: number): Buffer {
    return this.#fill(Buffer.alloc(size), 0, size);
  }

  #fill<T extends ArrayBufferView>(array: T, offset: number, size: number): T {
    const bytes = new Uint8Array(array.buffer, array.byteOffset + offset, size);
    for (let i = 0; i < bytes.length; i += 1) bytes[i] = this.#runtime.random.below(256);
    return array;
  }

  #randomFill(array: ArrayBufferView, rest: unknown[]): void {
    const done = rest.pop() as Done;
    const [offset = 0, size = array.byteLength - Number(offset)] = rest as number[];
    this.#answer(this.#fill(array, offset, size), done);
  }

  #randomInt(values: unknown[]): unknown {
    const done = typeof values.at(-1) === 'function' ? (values.pop() as Done) : undefined;
    const [min, max] = values.length > 1 ? (values as [number, number]) : [0, Number(values[0])];
    if (!(Number.isSafeInteger(min) && Number.isSafeInteger(max) && max > min && max - min < 2 ** 48)) {
      throw Object.assign(new RangeError(`The value of "max" is out of range: ${String(max)}`), { code: 'ERR_OUT_OF_RANGE' }); // prettier-ignore
    }
    const high = this.#runtime.random.u32() * 2 ** 21;
    return this.#answer(min + ((high + this.#runtime.random.below(2 ** 21)) % (max - min)), done);
  }

  #uuid(): string {
    const bytes = this.#bytes(16);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  #answer(value: unknown, done: Done | undefined): unknown {
    if (done === undefined) return value;
    this.#later(() => done(null, value));
    return undefined;
  }

  /** A function with a callback, by the one that answers at once. */
  #deferred(compute: (...values: never[]) => unknown): (...values: unknown[]) => void {
    return (...values) => {
      const done = values.pop() as Done;
      const value: unknown = Reflect.apply(compute, undefined, values);
      this.#later(() => done(null, value));
    };
  }

  #later(call: () => void): void {
    const handle = this.#runtime.handles.open();
    this.#runtime.soon(() => {
      handle.close();
      call();
    });
  }
}

/** The methods of `crypto.subtle` are of its class. They compute on threads of the machine. */
function trackedSubtle(runtime: ProgramRuntime): Record<string, unknown> {
  const real = globalThis.crypto.subtle;
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(real)).filter(
    (name) => name !== 'constructor',
  );
  return Object.fromEntries(
    names.map((name) => [name, tracked(runtime, 'node:crypto webcrypto.subtle', name, real)]),
  );
}
