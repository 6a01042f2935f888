import type { Method, ServerStream } from '@flotilla/wire';
import type { Access } from './access.ts';

/** Methods whose callers can be identified at once: what that needs is waited for before they are called. */
export function identified(methods: readonly Method[], access: Access): Method[] {
  return methods.map((method) => {
    if (method.kind === 'unary') {
      return {
        ...method,
        handle: (request, call) => {
          const prepared = access.prepare(call);
          if (prepared === null) return method.handle(request, call);
          return prepared.then(() => method.handle(request, call));
        },
      };
    }
    return {
      ...method,
      handle: async (stream: ServerStream<Uint8Array, Uint8Array>) => {
        await access.prepare(stream);
        await method.handle(stream);
      },
    };
  });
}
