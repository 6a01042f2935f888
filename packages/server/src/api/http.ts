import { messageOf } from '@flotilla/platform';
import type { Backend } from '../member/backend.ts';
import { API_VERSION } from '../member/version.ts';

export interface HttpRequest {
  readonly method: string;
  /** With its query: `/health?serializable=true`. */
  readonly target: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What the probes look at. */
export type HealthSource = Pick<Backend, 'hasLeader' | 'readBarrier' | 'requireState'>;

/**
 * etcd's HTTP endpoints on the client port: `/health` and `/version` in JSON, `/livez` and `/readyz` in Kubernetes'
 * plain text, each check also under a path of its own (`/readyz/linearizable_read`).
 */
export class HttpApi {
  readonly #source: HealthSource;

  constructor(source: HealthSource) {
    this.#source = source;
  }

  async handle(request: HttpRequest): Promise<HttpResponse> {
    const { path, query } = parseTarget(request.target);
    const probe = probeOf(path);
    if (path !== '/health' && path !== '/version' && probe === null) return text(404, '404 page not found\n');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return { ...text(405, 'Method Not Allowed\n'), headers: { ...plain, allow: 'GET' } };
    }
    if (path === '/version') return json(200, version);
    if (path === '/health') return await this.#health(query);
    return probe === null ? text(404, '404 page not found\n') : await this.#probe(probe, query);
  }

  async #health(query: URLSearchParams): Promise<HttpResponse> {
    const reason = await this.#unhealthyReason(query.get('serializable') === 'true');
    return reason === null
      ? json(200, { health: 'true', reason: '' })
      : json(503, { health: 'false', reason });
  }

  async #unhealthyReason(serializable: boolean): Promise<string | null> {
    if (!serializable && !this.#source.hasLeader) return 'RAFT NO LEADER';
    try {
      if (serializable) this.#source.requireState();
      else await this.#source.readBarrier();
      return null;
    } catch (error) {
      return `QGET ERROR:${messageOf(error)}`;
    }
  }

  async #probe(checks: readonly CheckName[], query: URLSearchParams): Promise<HttpResponse> {
    const excluded = new Set(query.getAll('exclude'));
    let report = '';
    let healthy = true;
    for (const name of checks) {
      if (excluded.has(name)) {
        report += `[+]${name} excluded: ok\n`;
        continue;
      }
      const failure = await this.#check(name);
      if (failure !== null) healthy = false;
      report += failure === null ? `[+]${name} ok\n` : `[-]${name} failed: ${failure}\n`;
    }
    if (!healthy) return text(503, `${report}\n`);
    return text(200, `${query.has('verbose') ? report : ''}ok\n`);
  }

  async #check(name: CheckName): Promise<string | null> {
    try {
      if (name === 'serializable_read') this.#source.requireState();
      if (name === 'linearizable_read') await this.#source.readBarrier();
      return null;
    } catch (error) {
      return messageOf(error);
    }
  }
}

/** `data_corruption` and `non_learner` hold for every member that runs: damage stops it, and there are no learners. */
type CheckName = 'serializable_read' | 'linearizable_read' | 'data_corruption' | 'non_learner';

const probes: Readonly<Record<string, readonly CheckName[]>> = {
  '/livez': ['serializable_read'],
  '/readyz': ['data_corruption', 'serializable_read', 'linearizable_read', 'non_learner'],
};

const version = { etcdserver: API_VERSION, etcdcluster: API_VERSION, storage: API_VERSION };
const plain = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' } as const;

function probeOf(path: string): readonly CheckName[] | null {
  for (const [root, checks] of Object.entries(probes)) {
    if (path === root) return checks;
    const check = checks.find((name) => path === `${root}/${name}`);
    if (check !== undefined) return [check];
  }
  return null;
}

function parseTarget(target: string): { readonly path: string; readonly query: URLSearchParams } {
  const mark = target.indexOf('?');
  if (mark === -1) return { path: target, query: new URLSearchParams() };
  return { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}

function json(status: number, content: unknown): HttpResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(content) };
}

function text(status: number, body: string): HttpResponse {
  return { status, headers: plain, body };
}
