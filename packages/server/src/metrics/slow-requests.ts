import type { Platform } from '@flotilla/platform';
import type { Method, ServerCall, UnaryMethod } from '@flotilla/wire';
import { limits } from '../limits.ts';

/**
 * Unary requests that took longer than `--warning-unary-request-duration`, in the log, with etcd's fields. Never what
 * they had in them; and no more lines a second than anybody reads, as the slow come in crowds.
 */
export class SlowRequests {
  readonly #platform: Platform;
  readonly #longerThanMs: number;
  #secondBeganMs = Number.NEGATIVE_INFINITY;
  #lines = 0;

  constructor(platform: Platform, longerThanMs: number) {
    this.#platform = platform;
    this.#longerThanMs = longerThanMs;
  }

  /** Methods that do the same and are timed. */
  watched(methods: readonly Method[]): Method[] {
    return methods.map((method) => (method.kind === 'unary' ? this.#unary(method) : method));
  }

  #unary(method: UnaryMethod): UnaryMethod {
    return {
      ...method,
      handle: (request, call) => {
        const startedMs = this.#platform.now();
        const ended = (): void => this.#ended(call, startedMs, request.length);
        const frame = method.handle(request, call);
        if (frame instanceof Uint8Array) ended();
        else frame.then(ended, ended);
        return frame;
      },
    };
  }

  #ended({ path, peer }: ServerCall, startedMs: number, requestBytes: number): void {
    const tookMs = this.#platform.now() - startedMs;
    if (tookMs <= this.#longerThanMs || !this.#mayLog()) return;
    this.#platform.log.warn('request stats', {
      'time spent': `${tookMs.toFixed(3)}ms`,
      remote: `${peer.remote.host}:${peer.remote.port}`,
      'response type': path,
      'request size': requestBytes,
    });
  }

  #mayLog(): boolean {
    const now = this.#platform.now();
    if (now - this.#secondBeganMs >= 1000) {
      this.#secondBeganMs = now;
      this.#lines = 0;
    }
    this.#lines += 1;
    return this.#lines <= limits.slowRequestLines;
  }
}
