import type { Platform } from '@flotilla/platform';
import type { MethodTable } from '@flotilla/wire';
import { HttpApi, versionEndpoint } from '../api/http.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { Gateway } from '../gateway/gateway.ts';
import { limits } from '../limits.ts';
import type { Backend } from '../member/backend.ts';
import { AccessGuard } from './access-guard.ts';
import { HealthEndpoints } from './health.ts';

export interface MemberHttpParts {
  readonly platform: Platform;
  readonly configuration: Configuration;
  readonly backend: Backend;
  readonly services: MethodTable;
}

/** Everything that a member answers to HTTP requests that are not gRPC. */
export function memberHttp({ platform, configuration, backend, services }: MemberHttpParts): HttpApi {
  const health = new HealthEndpoints({
    get hasLeader() {
      return backend.hasLeader;
    },
    get isLearner() {
      return backend.status().isLearner;
    },
    alarms: () => (backend.overQuota(0) ? ['NOSPACE'] : []),
    readBarrier: () => backend.readBarrier(),
    requireState: () => backend.requireState(),
  });
  return new HttpApi({
    endpoints: [health, versionEndpoint],
    guard: new AccessGuard({ configuration, authEnabled: () => backend.access.auth.enabled }),
    gateway: new Gateway({
      platform,
      services,
      maxReceiveMessageBytes: configuration.maxRequestBytes + limits.grpcOverheadBytes,
      handlerFailed: (error, path) =>
        platform.log.error('a request failed unexpectedly', { path, error: String(error) }),
    }),
  });
}
