import { Lease, LeaseGrantRequest, RpcError, callUnary, etcdErrors, type RpcChannel } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import type { EtcdCall, EtcdRequest, EtcdResponse } from '@flotilla/check';
import { type Random, seededRandom } from '@flotilla/platform';
import type { Draw, Workload } from '../../simulation/transactions/workload.ts';
import { pause } from './process-cluster.ts';
import { type EtcdHistory, record } from './traffic.ts';

/** Between two errands of a client. */
const thinkMs = 25;
/** After a failure: the member may be dead, the next one is asked. */
const failurePauseMs = 50;
const requestTimeoutMs = 5_000;
const leaseTtlSeconds = 100_000;
/** Clients of a workload have numbers of their own. */
const numbersOfAWorkload = 100;

/** Clients of all workloads at once, through all members, until they are stopped. */
export class TransactionTraffic {
  errands = 0;
  readonly #history: EtcdHistory;
  readonly #endpoints: readonly string[];
  readonly #workloads: readonly Workload[];
  readonly #running: Promise<void>[];
  readonly #timeoutMs: number;
  #stopped = false;

  constructor(
    history: EtcdHistory,
    endpoints: readonly string[],
    workloads: readonly Workload[],
    clients: { readonly ofEach: number; readonly patience: number },
    seed: number,
  ) {
    this.#history = history;
    this.#endpoints = endpoints;
    this.#workloads = workloads;
    this.#timeoutMs = requestTimeoutMs * clients.patience;
    const random = seededRandom(seed);
    this.#running = workloads.flatMap((workload, at) =>
      Array.from({ length: clients.ofEach }, (_, i) => {
        const number = at * numbersOfAWorkload + i;
        return this.#run(workload, number, random.fork(`client ${number}`));
      }),
    );
    // What went wrong is told by `stop`.
    for (const client of this.#running) client.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  /** What the clients of one workload asked for. */
  callsOf(workload: Workload): readonly EtcdCall[] {
    const at = this.#workloads.indexOf(workload);
    return this.#history.calls.filter(({ client }) => Math.floor(client / numbersOfAWorkload) === at);
  }

  async #run(workload: Workload, number: number, random: Random): Promise<void> {
    const channels = this.#endpoints.map((endpoint) => openHttp2Channel({ endpoints: [endpoint] }));
    let member = number % channels.length;
    const ask = async (request: EtcdRequest): Promise<EtcdResponse | null> => {
      const channel = channels[member] as RpcChannel;
      const answer = await record(this.#history, number, channel, request, this.#timeoutMs);
      if (answer === null) {
        member = (member + 1) % channels.length;
        await pause(failurePauseMs);
      }
      return answer;
    };
    const draw: Draw = (bound) => random.below(bound);
    try {
      while (
        !(await begun(workload, channels[member] as RpcChannel, ask, this.#timeoutMs)) &&
        !this.#stopped
      ) {
        member = (member + 1) % channels.length;
        await pause(failurePauseMs);
      }
      const client = workload.client(number);
      while (!this.#stopped) {
        await client.errand(ask, draw);
        this.errands += 1;
        await pause(2 * thinkMs * random.float());
        if (random.below(20) === 0) member = random.below(channels.length);
      }
    } finally {
      for (const channel of channels) channel.close();
    }
  }
}

async function begun(
  { leases, beginning }: Workload,
  channel: RpcChannel,
  ask: (request: EtcdRequest) => Promise<EtcdResponse | null>,
  timeoutMs: number,
): Promise<boolean> {
  for (const id of leases) {
    const request = LeaseGrantRequest.create({ id, ttl: leaseTtlSeconds });
    try {
      await callUnary(channel, Lease.methods.LeaseGrant, request, { timeoutMs });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (error.message !== etcdErrors.leaseExists.message) return false;
    }
  }
  for (const request of beginning) if ((await ask(request)) === null) return false;
  return true;
}
