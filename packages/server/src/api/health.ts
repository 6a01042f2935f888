import {
  Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  type Method,
  RpcError,
  serverStream,
  ServingStatus,
  Status,
  unary,
} from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';

/** `grpc.health.v1`, for load balancers and Kubernetes probes: a member serves while it knows a leader. */
export function healthMethods(backend: Backend): Method[] {
  return [
    unary(Health.methods.Check, (request): HealthCheckResponse => {
      requireKnown(request);
      return { status: current(backend) };
    }),
    serverStream(Health.methods.Watch, async (request, stream) => {
      if (!isKnown(request)) stream.write({ status: ServingStatus.SERVICE_UNKNOWN });
      else await tellChanges(backend, stream);
      // Until the client hangs up, as the protocol asks.
      await new Promise<never>((_, reject) => stream.onCancelled(reject));
    }),
  ];
}

interface HealthStream {
  write(message: HealthCheckResponse): boolean;
  onCancelled(listener: (reason: RpcError) => void): void;
}

async function tellChanges(backend: Backend, stream: HealthStream): Promise<void> {
  let told: ServingStatus | null = null;
  const tell = (): void => {
    const status = current(backend);
    if (status === told) return;
    told = status;
    stream.write({ status });
  };
  const unsubscribe = backend.onLeaderChange(tell);
  tell();
  await new Promise<never>((_, reject) => {
    stream.onCancelled((reason) => {
      unsubscribe();
      reject(reason);
    });
  });
}

function current(backend: Backend): ServingStatus {
  return backend.hasLeader ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
}

/** The empty name is the server as a whole. */
function isKnown(request: HealthCheckRequest): boolean {
  return request.service === '' || request.service === 'etcdserverpb.KV';
}

function requireKnown(request: HealthCheckRequest): void {
  if (!isKnown(request)) throw new RpcError(Status.NOT_FOUND, 'unknown service');
}
