import type { EtcdRequest, EtcdResponse } from '@flotilla/check';
import type { Platform } from '@flotilla/platform';
import { callUnary, etcdErrors, Lease, LeaseGrantRequest, RpcError } from '@flotilla/wire';
import { type ClientOptions, SimClient } from '../cluster/client.ts';
import type { Draw, Workload } from './workload.ts';

/** Longer than any run. */
const leaseTtlSeconds = 100_000;
const retryMs = 100;
/** Of the think time of other clients: errands that do not meet show nothing. */
const hurry = 3;

/** Whoever runs errands of a workload, through a member of its choice. */
export class TransactionClient {
  finished = false;
  readonly #options: ClientOptions;
  readonly #workload: Workload;
  readonly #client: SimClient;
  #member: number;

  constructor(options: ClientOptions, workload: Workload) {
    this.#options = options;
    this.#workload = workload;
    this.#client = new SimClient(options);
    this.#member = options.number % options.memberNames.length;
  }

  async main(platform: Platform): Promise<void> {
    const { settings, world, memberNames, goesOn, number } = this.#options;
    const pause = (ms: number): Promise<void> =>
      new Promise((resolve) => void platform.timer(ms, 'think', resolve));
    const draw: Draw = (bound, label) => world.tape.choose(bound, label);
    this.#client.open(platform);
    await this.#begin(pause);
    const errands = this.#workload.client(number);
    while (goesOn()) {
      const share = 0.2 + (1.6 * (15 - world.tape.choose(16, 'think time of a client'))) / 15;
      await pause((settings.thinkMs / hurry) * share);
      if (world.tape.chance(1, 5, 'change the member')) this.#member = draw(memberNames.length, 'member');
      await errands.errand((request) => this.#ask(request), draw);
      world.coverage.count('errand');
    }
    this.#client.close();
    this.finished = true;
  }

  async #begin(pause: (ms: number) => Promise<void>): Promise<void> {
    for (const lease of this.#workload.leases) {
      while (!(await this.#grant(lease))) await pause(retryMs);
    }
    for (const request of this.#workload.beginning) {
      while ((await this.#ask(request)) === null) await pause(retryMs);
    }
  }

  async #grant(id: bigint): Promise<boolean> {
    const request = LeaseGrantRequest.create({ id, ttl: leaseTtlSeconds });
    const { requestTimeoutMs: timeoutMs } = this.#options.settings;
    try {
      await callUnary(this.#client.channel(this.#member), Lease.methods.LeaseGrant, request, { timeoutMs });
      return true;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (error.message === etcdErrors.leaseExists.message) return true;
      this.#next();
      return false;
    }
  }

  async #ask(request: EtcdRequest): Promise<EtcdResponse | null> {
    const answer = await this.#client.request(this.#member, request, this.#options.settings.requestTimeoutMs);
    if (answer === null) this.#next();
    return answer;
  }

  #next(): void {
    this.#member = (this.#member + 1) % this.#options.memberNames.length;
  }
}
