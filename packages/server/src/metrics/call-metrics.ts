import { type CallMeter, type MethodCounts, statusNames } from './call-meter.ts';
import { counter, labelled, type Labels, type Metric } from './registry.ts';

/** Under the names of etcd and of Prometheus' interceptor for gRPC. All methods are there from the start. */
export function callMetrics(calls: CallMeter): readonly Metric[] {
  const perMethod = (valueOf: (counts: MethodCounts) => number) => () =>
    calls.methods.map((counts) => ({ labels: labelsOf(counts), value: valueOf(counts) }));
  return [
    counter(
      'etcd_network_client_grpc_received_bytes_total',
      'Bytes of the messages of clients',
      () => calls.receivedBytes,
    ),
    counter(
      'etcd_network_client_grpc_sent_bytes_total',
      'Bytes of the messages to clients',
      () => calls.sentBytes,
    ),
    labelled(
      'counter',
      'etcd_server_client_requests_total',
      'Calls, by the version that their clients name',
      () =>
        (['unary', 'stream'] as const).flatMap((type) =>
          [...calls.requests[type]].map(([version, { count: value }]) => ({
            labels: { client_api_version: version, type },
            value,
          })),
        ),
    ),
    labelled(
      'counter',
      'grpc_server_started_total',
      'Calls begun',
      perMethod(({ started }) => started),
    ),
    labelled(
      'counter',
      'grpc_server_msg_received_total',
      'Messages received',
      perMethod(({ received }) => received),
    ),
    labelled(
      'counter',
      'grpc_server_msg_sent_total',
      'Messages sent',
      perMethod(({ sent }) => sent),
    ),
    labelled('counter', 'grpc_server_handled_total', 'Calls ended, by status', () =>
      calls.methods.flatMap((counts) =>
        statusNames.map((name, status) => ({
          labels: { grpc_code: name, ...labelsOf(counts) },
          value: counts.handled[status] ?? 0,
        })),
      ),
    ),
    labelled(
      'histogram',
      'grpc_server_handling_seconds',
      'How long calls take, with --metrics=extensive',
      () =>
        calls.methods.flatMap((counts) =>
          counts.seconds === null ? [] : [{ labels: labelsOf(counts), histogram: counts.seconds }],
        ),
    ),
  ];
}

function labelsOf({ service, method, type }: MethodCounts): Labels {
  return { grpc_method: method, grpc_service: service, grpc_type: type };
}
