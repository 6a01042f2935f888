import {
  type Method,
  type RpcError,
  type ServerCall,
  type ServerStream,
  Status,
  type StatusName,
  toRpcError,
  type UnaryMethod,
  type StreamMethod,
} from '@flotilla/wire';
import { limits } from '../limits.ts';
import { Histogram } from './histogram.ts';
import type { SlowRequests } from './slow-requests.ts';

/** How the calls of one method have gone. */
export interface MethodCounts {
  readonly service: string;
  readonly method: string;
  /** As Prometheus' interceptor for Go calls them. */
  readonly type: 'unary' | 'server_stream' | 'client_stream' | 'bidi_stream';
  started: number;
  /** By status. */
  readonly handled: number[];
  received: number;
  sent: number;
  /** Null: not asked for. */
  readonly seconds: Histogram | null;
}

export interface CallMeterOptions {
  /** `--metrics=extensive`: how long calls take, too. */
  readonly extensive: boolean;
  /** Who is told how long unary calls take; nobody unless it is given, since telling costs each of them. */
  readonly slow?: SlowRequests | null;
  now(): number;
}

/** Counts calls and bytes, whoever carries them: gRPC and the gateway call the same methods. */
export class CallMeter {
  readonly methods: MethodCounts[] = [];
  receivedBytes = 0;
  sentBytes = 0;
  /** By what the client says of its version. */
  readonly requests = {
    unary: new Map<string, VersionCount>(),
    stream: new Map<string, VersionCount>(),
  };
  readonly #options: CallMeterOptions;

  constructor(options: CallMeterOptions) {
    this.#options = options;
  }

  /** Methods that do the same and are counted. */
  metered(methods: readonly Method[]): Method[] {
    const counted = methods.map((method) => {
      const counts = this.#countsOf(method);
      this.methods.push(counts);
      return method.kind === 'unary' ? this.#unary(method, counts) : this.#stream(method, counts);
    });
    return this.#options.slow?.watched(counted) ?? counted;
  }

  #unary(method: UnaryMethod, counts: MethodCounts): UnaryMethod {
    const { seconds } = counts;
    const succeeded = (frame: Uint8Array): void => {
      counts.sent += 1;
      this.sentBytes += frame.length - FRAME_PREFIX_BYTES;
      ended(counts, Status.OK);
    };
    const failed = (error: unknown): void => ended(counts, toRpcError(error).status);
    return {
      ...method,
      handle: (request, call) => {
        this.#begin(counts, this.requests.unary, call);
        counts.received += 1;
        this.receivedBytes += request.length;
        const startMs = seconds === null ? 0 : this.#options.now();
        let frame: Uint8Array | Promise<Uint8Array>;
        try {
          frame = method.handle(request, call);
        } catch (error) {
          failed(error);
          this.#time(seconds, startMs);
          throw error;
        }
        if (frame instanceof Uint8Array) {
          succeeded(frame);
          this.#time(seconds, startMs);
        } else {
          // Beside the answer's way, not in it, and without a closure for each call.
          frame.then(succeeded, failed);
          if (seconds !== null) {
            const time = (): void => this.#time(seconds, startMs);
            frame.then(time, time);
          }
        }
        return frame;
      },
    };
  }

  #stream(method: StreamMethod, counts: MethodCounts): StreamMethod {
    return {
      ...method,
      handle: async (stream) => {
        this.#begin(counts, this.requests.stream, stream);
        const startMs = this.#options.now();
        try {
          await method.handle(new MeteredStream(stream, this, counts));
          ended(counts, Status.OK);
        } catch (error) {
          ended(counts, toRpcError(error).status);
          throw error;
        } finally {
          this.#time(counts.seconds, startMs);
        }
      },
    };
  }

  #begin(counts: MethodCounts, requests: Map<string, VersionCount>, call: ServerCall): void {
    counts.started += 1;
    const version = call.metadata['client-api-version'] ?? 'unknown';
    const known = requests.get(version);
    if (known !== undefined) known.count += 1;
    // A client may say what it likes: so many versions are told apart.
    else if (requests.size < limits.clientVersions) requests.set(version, { count: 1 });
  }

  #time(seconds: Histogram | null, startMs: number): void {
    seconds?.observe((this.#options.now() - startMs) / 1000);
  }

  #countsOf({ path, kind }: Method): MethodCounts {
    const slash = path.lastIndexOf('/');
    return {
      service: path.slice(1, slash),
      method: path.slice(slash + 1),
      type: kind === 'bidi' ? 'bidi_stream' : kind === 'unary' ? 'unary' : kindName(kind),
      started: 0,
      handled: statusNames.map(() => 0),
      received: 0,
      sent: 0,
      seconds: this.#options.extensive ? new Histogram(handlingBounds) : null,
    };
  }
}

interface VersionCount {
  count: number;
}

function ended(counts: MethodCounts, status: Status): void {
  counts.handled[status] = (counts.handled[status] as number) + 1;
}

/** grpc-go's names of the statuses, by their numbers. */
export const statusNames: readonly string[] = Object.keys(Status).map((name) => goName(name as StatusName));

function goName(name: StatusName): string {
  if (name === 'OK') return name;
  if (name === 'CANCELLED') return 'Canceled';
  return name.toLowerCase().replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function kindName(kind: 'server-stream' | 'client-stream'): 'server_stream' | 'client_stream' {
  return kind === 'server-stream' ? 'server_stream' : 'client_stream';
}

class MeteredStream implements ServerStream<Uint8Array, Uint8Array> {
  readonly #stream: ServerStream<Uint8Array, Uint8Array>;
  readonly #meter: CallMeter;
  readonly #counts: MethodCounts;

  constructor(stream: ServerStream<Uint8Array, Uint8Array>, meter: CallMeter, counts: MethodCounts) {
    this.#stream = stream;
    this.#meter = meter;
    this.#counts = counts;
  }

  get path(): string {
    return this.#stream.path;
  }

  get metadata(): ServerCall['metadata'] {
    return this.#stream.metadata;
  }

  get peer(): ServerCall['peer'] {
    return this.#stream.peer;
  }

  get timeoutMs(): number | null {
    return this.#stream.timeoutMs;
  }

  get cancelled(): RpcError | null {
    return this.#stream.cancelled;
  }

  get bufferedBytes(): number {
    return this.#stream.bufferedBytes;
  }

  onCancelled(listener: (reason: RpcError) => void): void {
    this.#stream.onCancelled(listener);
  }

  async read(): Promise<Uint8Array | null> {
    const message = await this.#stream.read();
    if (message !== null) {
      this.#counts.received += 1;
      this.#meter.receivedBytes += message.length;
    }
    return message;
  }

  write(frame: Uint8Array): boolean {
    this.#counts.sent += 1;
    this.#meter.sentBytes += frame.length - FRAME_PREFIX_BYTES;
    return this.#stream.write(frame);
  }

  drained(): Promise<void> {
    return this.#stream.drained();
  }
}

const FRAME_PREFIX_BYTES = 5;
/** Those of Prometheus' interceptor for Go. */
const handlingBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
