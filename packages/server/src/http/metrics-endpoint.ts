import type { HttpEndpoint } from '../api/http.ts';
import type { Registry } from '../metrics/registry.ts';

/** `/metrics` for Prometheus. Any method will do, as in etcd. */
export function metricsEndpoint(registry: Registry): HttpEndpoint {
  return {
    handle(_exchange, path) {
      if (path !== '/metrics') return null;
      return Promise.resolve({
        status: 200,
        headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
        body: registry.render(),
      });
    },
  };
}
