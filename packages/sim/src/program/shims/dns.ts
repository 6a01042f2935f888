import * as dns from 'node:dns';
import { promisify } from 'node:util';
import { lookUp } from '../node-address.ts';
import type { ProgramRuntime } from '../runtime.ts';
import { trackedModule } from '../tracked.ts';

type Done = (error: Error | null, ...values: unknown[]) => void;

/** `node:dns`: each node has its name. */
export function dnsOf(runtime: ProgramRuntime): {
  readonly module: Record<string, unknown>;
  readonly promises: Record<string, unknown>;
} {
  const address = (host: string, call: string): string => {
    const found = lookUp(runtime.life.node, host);
    if (found !== null) return found;
    const fields = { errno: -3008, code: 'ENOTFOUND', syscall: call, hostname: host };
    throw Object.assign(new Error(`${call} ENOTFOUND ${host}`), fields);
  };
  const later = (find: () => readonly unknown[], done: Done): void => {
    const handle = runtime.handles.open();
    runtime.soon(() => {
      handle.close();
      let found: readonly unknown[];
      try {
        found = find();
      } catch (cause) {
        done(cause as Error);
        return;
      }
      done(null, ...found);
    });
  };
  const isAll = (options: unknown): boolean => typeof options === 'object' && options !== null && Reflect.get(options, 'all') === true; // prettier-ignore
  const lookup = (host: string, ...rest: unknown[]): void => {
    const done = rest.pop() as Done;
    later(() => {
      const found = address(host, 'getaddrinfo');
      return isAll(rest[0]) ? [[{ address: found, family: 4 }]] : [found, 4];
    }, done);
  };
  const resolve4 = (host: string, ...rest: unknown[]): void =>
    later(() => [[address(host, 'queryA')]], rest.pop() as Done);
  const promised = (begin: (done: Done) => void): Promise<unknown> =>
    new Promise((resolve, reject) => {
      begin((error, value) => (error === null ? resolve(value) : reject(error)));
    });
  const promises = trackedModule(runtime, 'node:dns/promises', dns.promises, {
    own: {
      lookup: (host: string, options?: unknown) =>
        promised((done) => lookup(host, options, (error: Error | null, found: unknown) =>
          done(error, isAll(options) ? found : { address: found, family: 4 }))),
      resolve4: (host: string) => promised((done) => resolve4(host, done)),
    },
    pure: [],
  }); // prettier-ignore
  Object.defineProperty(lookup, promisify.custom, { value: promises['lookup'] });
  const own = { lookup, resolve4, promises, setDefaultResultOrder: () => undefined, getDefaultResultOrder: () => 'verbatim' }; // prettier-ignore
  return { module: trackedModule(runtime, 'node:dns', dns, { own, pure: [] }), promises };
}
