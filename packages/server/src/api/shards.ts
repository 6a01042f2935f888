import {
  type Method,
  type NodeChangeResponse,
  type NodeJoinRequest,
  type NodeLeaveRequest,
  type NodeListResponse,
  Nodes,
  type ResponseHeader,
  type RpcError,
  type ServerCall,
  type ServerStream,
  serverStream,
  type ShardBeginRequest,
  ShardController,
  type ShardExplainResponse,
  type ShardHistoryRequest,
  type ShardHistoryResponse,
  type ShardListResponse,
  type ShardMergeRequest,
  type ShardMoveRequest,
  type ShardProgress,
  type ShardQueryResponse,
  Shards,
  type ShardSetReplicasRequest,
  type ShardSplitRequest,
  type ShardTransferLeaderRequest,
  type ShardTransferLeaderResponse,
  unary,
} from '@flotilla/wire';

import { answered } from '../shards/control/refusals.ts';

type Headless<Response> = Omit<Response, 'header'>;

/** Whoever waits for a long operation. When it has gone the operation goes on, and nobody is told. */
export interface Onlooker {
  report(progress: Omit<ShardProgress, 'configuration'>): void;
  readonly cancelled: RpcError | null;
  onCancelled(listener: () => void): void;
}

/**
 * What operators can ask of shards, at any node. Everything rejects with an `RpcError` whose text says what is wrong and
 * what would have been right; a request that names a configuration is refused when what it is about has changed since.
 */
export interface ShardAdministration {
  list(): Promise<Headless<ShardListResponse>>;
  nodes(): Promise<Headless<NodeListResponse>>;
  query(configuration: number): Promise<ShardQueryResponse>;
  history(request: ShardHistoryRequest): Promise<ShardHistoryResponse>;
  explain(shard: number): Promise<ShardExplainResponse>;

  /** Resolve when it is done, or when nobody looks on any more. */
  begin(request: ShardBeginRequest, onlooker: Onlooker): Promise<void>;
  split(request: ShardSplitRequest, onlooker: Onlooker): Promise<void>;
  merge(request: ShardMergeRequest, onlooker: Onlooker): Promise<void>;
  /** `withOffice`: whom a leader's replica goes to leads then. */
  move(request: ShardMoveRequest, withOffice: boolean, onlooker: Onlooker): Promise<void>;
  setReplicas(request: ShardSetReplicasRequest, onlooker: Onlooker): Promise<void>;
  drain(request: NodeLeaveRequest, leaves: boolean, onlooker: Onlooker): Promise<void>;

  transferLeader(request: ShardTransferLeaderRequest): Promise<Headless<ShardTransferLeaderResponse>>;
  join(request: NodeJoinRequest): Promise<Headless<NodeChangeResponse>>;
  /** In force, as far as this node knows. */
  readonly configuration: number;
}

/** As much of a member as these services need. */
export interface ShardApiBackend {
  readonly access: {
    requireRoot(call: ServerCall): void;
  };
  stamp(header: null): ResponseHeader;
}

/** `flotilla.v1`: who serves which keys, on which nodes, and how that changes. Only root may ask, when auth is on. */
export function shardMethods(backend: ShardApiBackend, administration: ShardAdministration): Method[] {
  const header = (): ResponseHeader => ({ ...backend.stamp(null), revision: 0 });
  const root = (call: ServerCall): void => {
    backend.access.requireRoot(call);
  };
  const withHeader = async <Response>(
    response: Promise<Response>,
  ): Promise<Response & { header: ResponseHeader }> => ({
    ...(await told(response)),
    header: header(),
  });
  const long = async (
    stream: ServerStream<never, ShardProgress>,
    run: (onlooker: Onlooker) => Promise<void>,
  ): Promise<void> => {
    root(stream);
    await told(run(onlookerOf(stream, administration)));
  };
  return [
    unary(Shards.methods.List, (_request, call) => {
      root(call);
      return withHeader(administration.list());
    }),
    serverStream(Shards.methods.Begin, (request, stream) =>
      long(stream, (onlooker) => administration.begin(request, onlooker)),
    ),
    serverStream(Shards.methods.Split, (request, stream) =>
      long(stream, (onlooker) => administration.split(request, onlooker)),
    ),
    serverStream(Shards.methods.Merge, (request, stream) =>
      long(stream, (onlooker) => administration.merge(request, onlooker)),
    ),
    serverStream(Shards.methods.MoveReplica, (request, stream) =>
      long(stream, (onlooker) => administration.move(request, false, onlooker)),
    ),
    serverStream(Shards.methods.SetReplicas, (request, stream) =>
      long(stream, (onlooker) => administration.setReplicas(request, onlooker)),
    ),
    unary(Shards.methods.TransferLeader, (request, call) => {
      root(call);
      return withHeader(administration.transferLeader(request));
    }),
    unary(Shards.methods.Explain, ({ shard }, call) => {
      root(call);
      return told(administration.explain(shard));
    }),
    unary(Shards.methods.History, (request, call) => {
      root(call);
      return told(administration.history(request));
    }),

    unary(Nodes.methods.List, (_request, call) => {
      root(call);
      return withHeader(administration.nodes());
    }),
    serverStream(Nodes.methods.Leave, (request, stream) =>
      long(stream, (onlooker) => administration.drain(request, true, onlooker)),
    ),
    serverStream(Nodes.methods.Drain, (request, stream) =>
      long(stream, (onlooker) => administration.drain(request, false, onlooker)),
    ),
    ...[Nodes, ShardController].map(({ methods }) =>
      unary(methods.Join, (request, call) => {
        root(call);
        return withHeader(administration.join(request));
      }),
    ),

    serverStream(ShardController.methods.Leave, (request, stream) =>
      long(stream, (onlooker) => administration.drain(request, true, onlooker)),
    ),
    serverStream(ShardController.methods.Move, (request, stream) =>
      long(stream, (onlooker) => administration.move(request, true, onlooker)),
    ),
    unary(ShardController.methods.Query, ({ configuration }, call) => {
      root(call);
      return told(administration.query(configuration));
    }),
  ];
}

/** Whoever cannot be reached is no bug of ours: the client hears what to do. */
async function told<Result>(result: Promise<Result>): Promise<Result> {
  try {
    return await result;
  } catch (error) {
    throw answered(error);
  }
}

/** A client that reads slowly misses nothing but what is out of date by then. */
function onlookerOf(
  stream: ServerStream<never, ShardProgress>,
  administration: Pick<ShardAdministration, 'configuration'>,
): Onlooker {
  let last = '';
  return {
    get cancelled() {
      return stream.cancelled;
    },
    onCancelled: (listener) => {
      stream.onCancelled(listener);
    },
    report: (progress) => {
      const text = JSON.stringify(progress);
      if (text === last && !progress.finished) return;
      last = text;
      if (progress.finished || stream.bufferedBytes === 0) {
        stream.write({ configuration: administration.configuration, ...progress });
      }
    },
  };
}
