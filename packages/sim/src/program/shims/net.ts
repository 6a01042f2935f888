import * as net from 'node:net';
import type { AnyFunction } from '../module-unit.ts';
import type { ProgramRuntime } from '../runtime.ts';
import { trackedModule } from '../tracked.ts';
import { ProgramServer } from './server.ts';
import { ProgramSocket } from './socket.ts';
import type { SocketOptions } from './socket.ts';

const { isIP, isIPv4, isIPv6 } = { ...net };

/** `node:net` on the simulated network. */
export function netOf(runtime: ProgramRuntime): Record<string, unknown> {
  // As functions, because old programs call both without `new`; with one prototype, so that `instanceof` holds.
  const Socket = constructible(
    ProgramSocket,
    (values) => new ProgramSocket(runtime, values[0] as SocketOptions),
  );
  const Server = constructible(ProgramServer, ([options, listener]) => new ProgramServer(runtime, options as object, listener as () => void)); // prettier-ignore
  const connect = (...values: unknown[]): ProgramSocket => {
    const [options] = values;
    const settings = typeof options === 'object' && options !== null ? (options as SocketOptions) : {};
    return new ProgramSocket(runtime, settings).connect(...values);
  };
  const own = {
    Socket, Stream: Socket, Server, connect, createConnection: connect, isIP, isIPv4, isIPv6,
    createServer: (...values: unknown[]) => Reflect.construct(Server, values) as ProgramServer,
    getDefaultAutoSelectFamily: () => false,
    setDefaultAutoSelectFamily: () => undefined,
  }; // prettier-ignore
  return trackedModule(runtime, 'node:net', net, { own, pure: ['BlockList', 'SocketAddress'] });
}

function constructible(
  base: new (...values: never[]) => object,
  make: (values: unknown[]) => object,
): AnyFunction {
  const create = function (...values: unknown[]): object {
    const made = make(values);
    return new.target === undefined || new.target === create
      ? made
      : (Object.setPrototypeOf(made, new.target.prototype) as object);
  };
  Object.setPrototypeOf(create, base);
  create.prototype = base.prototype as object;
  return create;
}
