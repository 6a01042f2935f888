import {
  type CampaignRequest,
  type CampaignResponse,
  Election,
  EventType,
  type KeyValue,
  type LeaderKey,
  type LeaderRequest,
  type LeaderResponse,
  type Method,
  type ProclaimRequest,
  type ProclaimResponse,
  type ResignRequest,
  type ResignResponse,
  type ResponseHeader,
  RpcError,
  type ServerCall,
  serverStream,
  type ServerStream,
  Status,
  unary,
} from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';
import { asClientOfItself, KeyQueue, type Place, queueOf } from './key-queue.ts';
import { KeyWatch } from './key-watch.ts';
import { requireLeaderIfAsked, whileLed } from './leader.ts';

/** `v3electionpb.Election`: the leader is who stands first in the queue, and what it proclaims is its key's value. */
export function electionMethods(backend: Backend): Method[] {
  const elections = new ElectionService(backend);
  return [
    unary(Election.methods.Campaign, (request, call, bytes) => elections.campaign(request, call, bytes)),
    unary(Election.methods.Proclaim, (request, call) => elections.proclaim(request, call)),
    unary(Election.methods.Leader, (request, call) => elections.leader(request, call)),
    serverStream(Election.methods.Observe, (request, call) => elections.observe(request, call)),
    unary(Election.methods.Resign, (request, call) => elections.resign(request, call)),
  ];
}

// etcd's texts.
const notLeader = new RpcError(Status.UNKNOWN, 'election: not leader');
const noLeader = new RpcError(Status.UNKNOWN, 'election: no leader');
const missingLeaderKey = new RpcError(Status.UNKNOWN, '"leader" field must be provided');

type ObserveCall = ServerStream<never, LeaderResponse>;

class ElectionService {
  readonly #backend: Backend;
  readonly #queue: KeyQueue;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#queue = new KeyQueue(backend);
  }

  campaign(request: CampaignRequest, call: ServerCall, bytes: Uint8Array): Promise<CampaignResponse> {
    requireLeaderIfAsked(this.#backend, call);
    return asClientOfItself(this.#campaign(request, call, bytes));
  }

  proclaim(request: ProclaimRequest, call: ServerCall): Promise<ProclaimResponse> {
    requireLeaderIfAsked(this.#backend, call);
    return asClientOfItself(this.#proclaim(request, call));
  }

  resign(request: ResignRequest, call: ServerCall): Promise<ResignResponse> {
    requireLeaderIfAsked(this.#backend, call);
    return asClientOfItself(this.#resign(request, call));
  }

  leader(request: LeaderRequest, call: ServerCall): Promise<LeaderResponse> {
    requireLeaderIfAsked(this.#backend, call);
    return asClientOfItself(this.#leader(request, call));
  }

  observe(request: LeaderRequest, call: ObserveCall): Promise<void> {
    requireLeaderIfAsked(this.#backend, call);
    return whileLed(this.#backend, call, asClientOfItself(this.#observe(request, call)));
  }

  async #campaign(
    { name, lease, value }: CampaignRequest,
    call: ServerCall,
    bytes: Uint8Array,
  ): Promise<CampaignResponse> {
    const session = await this.#queue.leaseOf(lease, call, bytes);
    // Whoever campaigns again stays where it is, with what it proclaims now.
    const entered = await this.#queue.enter(name, session, value, call);
    const { place, enteredRevision, isFirst, header } = entered;
    try {
      // etcd answers also whose lease has expired while it waited; that one leads nobody.
      if (!isFirst && (await this.#queue.turn(name, place, call)) === null) throw notLeader;
      if (call.cancelled !== null) throw call.cancelled;
    } catch (error) {
      if (call.cancelled !== null) {
        this.#queue.giveUp(place, enteredRevision, call).catch(() => undefined);
      }
      throw error;
    }
    return { header, leader: { name, key: place.key, rev: place.createRevision, lease: session } };
  }

  async #proclaim({ leader, value }: ProclaimRequest, call: ServerCall): Promise<ProclaimResponse> {
    return { header: await this.#rename(placeOf(leader), value, call) };
  }

  async #resign({ leader }: ResignRequest, call: ServerCall): Promise<ResignResponse> {
    const { header } = await this.#queue.leave(placeOf(leader), call);
    return { header };
  }

  async #leader({ name }: LeaderRequest, call: ServerCall): Promise<LeaderResponse> {
    const { header, kvs } = await this.#queue.first(name, call);
    if (kvs[0] === undefined) throw noLeader;
    return { header, kv: kvs[0] };
  }

  async #observe({ name }: LeaderRequest, call: ObserveCall): Promise<void> {
    for (;;) {
      const { header, kvs } = await this.#queue.first(name, call);
      const revision = header?.revision ?? 0;
      const leader =
        kvs[0] === undefined ? await this.#firstPut(name, revision, call) : { header, kv: kvs[0] };
      // Compacted: whoever leads now is found by looking again.
      if (leader === null) continue;
      await send(call, leader);
      await this.#follow(leader, call);
    }
  }

  /** The first key that is put after `revision`, in an election that nobody has stood for. */
  async #firstPut(name: Uint8Array, revision: number, call: ServerCall): Promise<LedBy | null> {
    const watch = new KeyWatch(this.#backend, call, [{ ...queueOf(name), startRevision: revision + 1 }]);
    try {
      for (let response = await watch.next(); response !== null; response = await watch.next()) {
        const kv = response.events.find(({ type }) => type === EventType.PUT)?.kv;
        if (kv !== undefined && kv !== null) {
          return { header: { ...this.#backend.stamp(response.header), revision: kv.modRevision }, kv };
        }
      }
      return null;
    } finally {
      watch.close();
    }
  }

  /** Tells what the leader proclaims, until it leads no more. */
  async #follow({ header, kv }: LedBy, call: ObserveCall): Promise<void> {
    const startRevision = (header?.revision ?? 0) + 1;
    const watch = new KeyWatch(this.#backend, call, [{ key: kv.key, rangeEnd: noBytes, startRevision }]);
    try {
      for (let response = await watch.next(); response !== null; response = await watch.next()) {
        for (const event of response.events) {
          if (event.type === EventType.DELETE) return;
          if (event.kv !== null)
            await send(call, { header: this.#backend.stamp(response.header), kv: event.kv });
        }
      }
    } finally {
      watch.close();
    }
  }

  async #rename(place: Place, value: Uint8Array, call: ServerCall): Promise<ResponseHeader | null> {
    const { succeeded, header } = await this.#queue.rename(place, value, call);
    if (!succeeded) throw notLeader;
    return header;
  }
}

interface LedBy {
  readonly header: ResponseHeader | null;
  readonly kv: KeyValue;
}

const noBytes = new Uint8Array(0);

function placeOf(leader: LeaderKey | null): Place {
  if (leader === null) throw missingLeaderKey;
  return { key: leader.key, createRevision: leader.rev, lease: leader.lease };
}

async function send(call: ObserveCall, leader: LedBy): Promise<void> {
  if (!call.write(leader)) await call.drained();
}
