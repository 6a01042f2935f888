import type { Platform } from '@flotilla/platform';
import type { Group, Host } from '@flotilla/raft';
import type { ApplyResult, Database } from '@flotilla/store';
import type { MethodTable } from '@flotilla/wire';
import { alarmName } from '../api/alarm-name.ts';
import { HttpApi, type HttpEndpoint, versionEndpoint } from '../api/http.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { Gateway } from '../gateway/gateway.ts';
import { limits } from '../limits.ts';
import type { Backend } from '../member/backend.ts';
import type { Membership } from '../member/membership.ts';
import { memberMetrics } from '../metrics/member-metrics.ts';
import type { Meters } from '../metrics/meters.ts';
import { type Metric, Registry } from '../metrics/registry.ts';
import { AccessGuard } from './access-guard.ts';
import { debugVarsEndpoint } from './debug-vars.ts';
import { HealthEndpoints } from './health.ts';
import { metricsEndpoint } from './metrics-endpoint.ts';

export interface MemberHttpParts {
  readonly platform: Platform;
  readonly configuration: Configuration;
  readonly backend: Backend;
  readonly database: Database;
  readonly host: Host;
  readonly group: Group<ApplyResult>;
  readonly membership: Membership;
  readonly meters: Meters;
  readonly process: ProcessFacts;
  readonly services: MethodTable;
  readonly shards: { readonly endpoint: HttpEndpoint; readonly metrics: readonly Metric[] };
}

/** What only the process knows of itself. */
export interface ProcessFacts {
  readonly metrics: readonly Metric[];
  /** For `/debug/vars`. */
  vars(): Readonly<Record<string, unknown>>;
}

/** Where there is no process of its own, as in a simulation. */
export const noProcess: ProcessFacts = { metrics: [], vars: () => ({}) };

/** Everything that a member answers to HTTP requests that are not gRPC. */
export function memberHttp(parts: MemberHttpParts): HttpApi {
  const { configuration, group, membership, backend } = parts;
  const groupStatus = (): ReturnType<typeof group.status> => group.status();
  const memberIdOf = (nodeId: number): bigint | null => membership.byNodeId(nodeId)?.memberId ?? null;
  const health = healthOf(parts);
  const registry = new Registry([
    ...memberMetrics({
      ...parts,
      ...parts.meters,
      health: health.counts,
      quotaBytes: configuration.quotaBytes,
      alarms: () => alarmsOf(parts),
      figures: () => backend.figures,
      groupStatus,
      status: () => backend.status(),
      memberIdOf,
    }),
    ...parts.process.metrics,
    ...parts.shards.metrics,
  ]);
  const debugVars = debugVarsEndpoint({ groupStatus, memberIdOf, process: () => parts.process.vars() });
  return new HttpApi({
    guard: new AccessGuard({ configuration, authEnabled: () => backend.access.auth.enabled }),
    endpoints: [health, metricsEndpoint(registry), versionEndpoint, debugVars, parts.shards.endpoint],
    gateway: configuration.gateway ? gatewayOf(parts) : null,
  });
}

function healthOf(parts: MemberHttpParts): HealthEndpoints {
  const { backend } = parts;
  return new HealthEndpoints({
    get hasLeader() {
      return backend.hasLeader;
    },
    get isLearner() {
      return backend.status().isLearner;
    },
    alarms: () => alarmsOf(parts).map(({ name }) => name),
    readBarrier: () => backend.readBarrier(),
    requireState: () => backend.requireState(),
  });
}

function alarmsOf({ backend }: MemberHttpParts): { readonly memberId: bigint; readonly name: string }[] {
  return backend.operations.alarms.map(({ memberId, alarm }) => ({ memberId, name: alarmName(alarm) }));
}

function gatewayOf({ platform, configuration, services }: MemberHttpParts): Gateway {
  return new Gateway({
    platform,
    services,
    maxReceiveMessageBytes: configuration.maxRequestBytes + limits.grpcOverheadBytes,
    handlerFailed: (error, path) =>
      platform.log.error('a request failed unexpectedly', { path, error: String(error) }),
  });
}
