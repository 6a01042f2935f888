import { join } from 'node:path';
import type { Logger, TraceDetail } from '@flotilla/platform';
import { KV, PutRequest, PutResponse } from '@flotilla/wire';
import * as grpc from '@grpc/grpc-js';
import { startNodeMember } from '../../src/cli/node-member.ts';
import { configure } from '../../src/configuration/configuration.ts';
import type { Member } from '../../src/member/member.ts';

/** A log that can be waited for. */
export class Journal implements Logger {
  readonly lines: string[] = [];
  #waiting: (() => void)[] = [];

  debug(): void {
    // Not looked at.
  }

  info(message: string, fields?: TraceDetail): void {
    this.#write(message, fields);
  }

  warn(message: string, fields?: TraceDetail): void {
    this.#write(message, fields);
  }

  error(message: string, fields?: TraceDetail): void {
    this.#write(message, fields);
  }

  /** The first line that matches, past or future, which is then forgotten together with those before it. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const at = this.lines.findIndex((line) => pattern.test(line));
      if (at !== -1) return this.lines.splice(0, at + 1).at(-1) as string;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #write(message: string, fields: TraceDetail = {}): void {
    this.lines.push([message, ...Object.entries(fields).map(([key, value]) => `${key}=${value}`)].join(' '));
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

export interface Running {
  readonly member: Member;
  readonly journal: Journal;
}

/** A member as `flotilla serve` starts it, in this process. */
export async function startMember(
  directory: string,
  name: string,
  ports: { readonly client: string; readonly peer: string },
  settings: Readonly<Record<string, string>>,
): Promise<Running> {
  const journal = new Journal();
  const values = {
    name,
    'data-dir': join(directory, name),
    'listen-client-urls': ports.client,
    'advertise-client-urls': ports.client,
    'listen-peer-urls': ports.peer,
    'initial-advertise-peer-urls': ports.peer,
    'initial-cluster': `${name}=${ports.peer}`,
    ...settings,
  };
  const fatal = (error: Error): void => journal.error('fatal', { error: error.message });
  const configuration = configure(new Map(Object.entries(values)));
  const member = await startNodeMember(configuration, journal, fatal);
  return { member, journal };
}

/** A client of grpc-js that puts keys. */
export class Putter {
  readonly #client: grpc.Client;

  /** `shown`: the certificate and key of the client, if it has one. */
  constructor(
    address: string,
    ca: string,
    shown: { readonly certificate: string; readonly key: string } | null = null,
  ) {
    const credentials = grpc.credentials.createSsl(
      Buffer.from(ca),
      shown === null ? null : Buffer.from(shown.key),
      shown === null ? null : Buffer.from(shown.certificate),
    );
    this.#client = new grpc.Client(address, credentials);
  }

  put(key = 'k'): Promise<PutResponse> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        KV.methods.Put.path,
        (request: PutRequest) => Buffer.from(PutRequest.encode(request)),
        (bytes) => PutResponse.decode(bytes),
        PutRequest.create({ key: Buffer.from(key), value: Buffer.from('v') }),
        (error, response) =>
          response === undefined ? reject(error ?? new Error('no answer')) : resolve(response),
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}
