import { messageOf } from '@flotilla/platform';
import type { HttpEndpoint } from '../api/http.ts';
import { type HttpResponse, methodNotAllowed, plainText, textResponse } from './exchange.ts';

/** What the probes look at. */
export interface HealthSource {
  readonly hasLeader: boolean;
  readonly isLearner: boolean;
  /** Names of the alarms that are raised, `NOSPACE` or `CORRUPT`. */
  alarms(): readonly string[];
  readBarrier(): Promise<void>;
  requireState(): void;
}

/** How the checks have gone so far, for the metrics. */
export interface HealthCounts {
  healthy: number;
  unhealthy: number;
  readonly checks: Map<string, CheckCounts>;
}

export interface CheckCounts {
  readonly probe: string;
  readonly check: CheckName;
  success: number;
  error: number;
  succeededLast: boolean;
}

/**
 * etcd's `/health` in JSON, and `/livez` and `/readyz` in Kubernetes' plain text, each check also under a path of its
 * own (`/readyz/linearizable_read`).
 */
export class HealthEndpoints implements HttpEndpoint {
  readonly counts: HealthCounts = { healthy: 0, unhealthy: 0, checks: new Map() };
  readonly #source: HealthSource;

  constructor(source: HealthSource) {
    this.#source = source;
    for (const [probe, checks] of Object.entries(probes)) {
      for (const check of checks) {
        const counts = { probe, check, success: 0, error: 0, succeededLast: false };
        this.counts.checks.set(`${probe}/${check}`, counts);
      }
    }
  }

  handle(
    { method }: { readonly method: string },
    path: string,
    query: URLSearchParams,
  ): Promise<HttpResponse> | null {
    const checks = this.#checksOf(path);
    if (path !== '/health' && checks === null) return null;
    if (method !== 'GET') return Promise.resolve(methodNotAllowed);
    if (checks === null) return this.#health(query);
    // The path of one check excludes nothing.
    const isRoot = path.lastIndexOf('/') === 0;
    const excluded = new Set(isRoot ? query.getAll('exclude') : []);
    return this.#probe(
      checks.filter(({ check }) => !excluded.has(check)),
      query.has('verbose'),
    );
  }

  #checksOf(path: string): readonly CheckCounts[] | null {
    const [, probe = '', check, ...rest] = path.split('/');
    if (!Object.hasOwn(probes, probe) || rest.length > 0) return null;
    const found = [...this.counts.checks.values()].filter(
      (counts) => counts.probe === probe && (check === undefined || counts.check === check),
    );
    return found.length === 0 ? null : found;
  }

  async #health(query: URLSearchParams): Promise<HttpResponse> {
    const excluded = new Set(query.getAll('exclude'));
    const reason = await this.#unhealthyReason(excluded, query.get('serializable') === 'true');
    const body = JSON.stringify({ health: String(reason === null), reason: reason ?? '' });
    if (reason === null) {
      this.counts.healthy += 1;
      // etcd names no type here, and Go guesses this one.
      return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
    }
    this.counts.unhealthy += 1;
    return textResponse(503, `${body}\n`);
  }

  async #unhealthyReason(excludedAlarms: ReadonlySet<string>, serializable: boolean): Promise<string | null> {
    const alarm = this.#source.alarms().find((name) => !excludedAlarms.has(name));
    if (alarm !== undefined) return `ALARM ${alarm}`;
    if (!serializable && !this.#source.hasLeader) return 'RAFT NO LEADER';
    try {
      await this.#read(serializable);
      return null;
    } catch (error) {
      return `RANGE ERROR:${messageOf(error)}`;
    }
  }

  async #probe(checks: readonly CheckCounts[], verbose: boolean): Promise<HttpResponse> {
    let report = '';
    let healthy = true;
    for (const counts of checks) {
      const { check } = counts;
      const failure = await this.#failure(check);
      if (failure === null) {
        report += `[+]${check} ok\n`;
        counts.success += 1;
      } else {
        report += `[-]${check} failed: ${failure}\n`;
        counts.error += 1;
        healthy = false;
      }
      counts.succeededLast = failure === null;
    }
    if (!healthy) return textResponse(503, `${report}\n`);
    return { status: 200, headers: plainText, body: `${verbose ? report : ''}ok\n` };
  }

  async #failure(check: CheckName): Promise<string | null> {
    try {
      switch (check) {
        case 'data_corruption':
          return this.#source.alarms().includes('CORRUPT') ? 'alarm activated: CORRUPT' : null;
        case 'serializable_read':
          await this.#read(true);
          return null;
        case 'linearizable_read':
          await this.#read(false);
          return null;
        case 'non_learner':
          return this.#source.isLearner ? 'not supported for learner' : null;
      }
    } catch (error) {
      return messageOf(error);
    }
  }

  async #read(serializable: boolean): Promise<void> {
    if (!serializable) await this.#source.readBarrier();
    this.#source.requireState();
  }
}

export type CheckName = 'serializable_read' | 'linearizable_read' | 'data_corruption' | 'non_learner';

const probes: Readonly<Record<string, readonly CheckName[]>> = {
  livez: ['serializable_read'],
  readyz: ['data_corruption', 'serializable_read', 'linearizable_read', 'non_learner'],
};
