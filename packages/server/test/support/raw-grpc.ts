import { Client, credentials, type ServiceError } from '@grpc/grpc-js';

export interface RawAnswer {
  /** gRPC's status; 0: well. */
  readonly code: number;
  readonly message: string;
  readonly bytes: Uint8Array;
}

/** Sends any bytes as a request, by a client that is not ours (grpc-js). */
export class RawClient {
  readonly #client: Client;

  constructor(endpoint: string) {
    this.#client = new Client(endpoint.replace('http://', ''), credentials.createInsecure(), {
      'grpc.max_send_message_length': -1,
      'grpc.max_receive_message_length': -1,
      // Clients of one process would share connections otherwise.
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  call(path: string, request: Uint8Array, timeoutMs = 20_000): Promise<RawAnswer> {
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(
        path,
        (bytes: Uint8Array) => Buffer.from(bytes),
        (bytes: Buffer) => bytes,
        request,
        { deadline: Date.now() + timeoutMs },
        (error: ServiceError | null, answer?: Buffer) => {
          if (error === null) resolve({ code: 0, message: '', bytes: new Uint8Array(answer as Buffer) });
          else resolve({ code: error.code, message: error.details, bytes: new Uint8Array(0) });
        },
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}
