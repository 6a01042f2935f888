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
      return { status: current(backend, request.service) };
    }),
    serverStream(Health.methods.Watch, async (request, stream) => {
      if (!isKnown(request)) stream.write({ status: ServingStatus.SERVICE_UNKNOWN });
      else await tellChanges(backend, request.service, stream);
      // Until the client hangs up, as the protocol asks.
      await new Promise<never>((_, reject) => stream.onCancelled(reject));
    }),
  ];
}

interface HealthStream {
  write(message: HealthCheckResponse): boolean;
  onCancelled(listener: (reason: RpcError) => void): void;
}

async function tellChanges(backend: Backend, service: string, stream: HealthStream): Promise<void> {
  let told: ServingStatus | null = null;
  const tell = (): void => {
    const status = current(backend, service);
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

function current(backend: Backend, service: string): ServingStatus {
  const serves = service === sessionsService ? backend.takesSessions : backend.hasLeader;
  return serves ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
}

/**
 * How clients learn whether writes that carry a session are executed once: etcd knows no such service, and a member
 * does not serve it while another one of its cluster could not apply such a write.
 */
const sessionsService = 'flotilla.Sessions';

/** The empty name is the server as a whole. */
const services: readonly string[] = ['', 'etcdserverpb.KV', sessionsService];

function isKnown(request: HealthCheckRequest): boolean {
  return services.includes(request.service);
}

function requireKnown(request: HealthCheckRequest): void {
  if (!isKnown(request)) throw new RpcError(Status.NOT_FOUND, 'unknown service');
}
