import {
  AlarmAction,
  AlarmRequest,
  AlarmType,
  DowngradeAction,
  DowngradeRequest,
  HashKVRequest,
  Maintenance as MaintenanceService,
  MoveLeaderRequest,
  SnapshotRequest,
} from '@flotilla/wire';
import type { AlarmMember, HashKVResponse, HashResponse, StatusResponse } from '@flotilla/wire';
import { toBuffer } from '../bytes.ts';
import { answersOf } from '../connection/answers.ts';
import { Endpoint } from '../connection/endpoint.ts';
import type { Effect, RequestOptions, Requester } from '../connection/requester.ts';
import { clientError } from '../errors.ts';

const { methods } = MaintenanceService;

export type { AlarmMember, HashKVResponse, StatusResponse };

/** Of questions about one member: which. Absent: the one whose turn it is. */
export interface MemberOptions extends RequestOptions {
  readonly endpoint?: string;
}

/** What keeps a cluster running. */
export class Maintenance {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  status(options: MemberOptions = {}): Promise<StatusResponse> {
    return this.#at(options, (endpoint) => this.#requester.callAt(endpoint, methods.Status, {}, options));
  }

  async defragment(options: MemberOptions = {}): Promise<void> {
    await this.#at(options, (endpoint) => this.#requester.callAt(endpoint, methods.Defragment, {}, options));
  }

  /** Of all that a member has up to a revision: equal on all of them. */
  hashKv(revision = 0, options: MemberOptions = {}): Promise<HashKVResponse> {
    const request = HashKVRequest.create({ revision });
    return this.#at(options, (endpoint) =>
      this.#requester.callAt(endpoint, methods.HashKV, request, options),
    );
  }

  /** Of everything that a member has replicated, as it would store it; {@link hashKv} is what members can be compared by. */
  async hash(options: MemberOptions = {}): Promise<number> {
    const ask = (endpoint: Endpoint): Promise<HashResponse> =>
      this.#requester.callAt(endpoint, methods.Hash, {}, options);
    return (await this.#at(options, ask)).hash;
  }

  /**
   * A member's whole state as a file of etcd's, in pieces.
   *
   * @example
   * await pipeline(client.maintenance.snapshot(), createWriteStream('backup.db'));
   */
  async *snapshot(options: MemberOptions = {}): AsyncGenerator<Buffer> {
    const [endpoint, close] = await this.#endpoint(options);
    try {
      const request = SnapshotRequest.create();
      for await (const part of answersOf(this.#requester, endpoint, methods.Snapshot, request, options)) {
        yield toBuffer(part.blob);
      }
    } finally {
      close();
    }
  }

  async alarms(options: RequestOptions = {}): Promise<readonly AlarmMember[]> {
    const request = AlarmRequest.create({ action: AlarmAction.GET, alarm: AlarmType.NONE });
    return (await this.#requester.call(methods.Alarm, request, 'read', options)).alarms;
  }

  /** Takes an alarm back. Absent: all of them. */
  async disarm(alarm?: AlarmMember, options: RequestOptions = {}): Promise<readonly AlarmMember[]> {
    const disarmed: AlarmMember[] = [];
    for (const { memberId, alarm: type } of alarm === undefined ? await this.alarms(options) : [alarm]) {
      const request = AlarmRequest.create({ action: AlarmAction.DEACTIVATE, memberId, alarm: type });
      disarmed.push(...(await this.#requester.call(methods.Alarm, request, 'repeatable', options)).alarms);
    }
    return disarmed;
  }

  /** Whether the cluster could go to an older version, `3.6`. Rejects with why not. Answers the present one. */
  validateDowngrade(version: string, options: RequestOptions = {}): Promise<string> {
    return this.#downgrade(DowngradeAction.VALIDATE, version, 'read', options);
  }

  /** Announces that the cluster goes to an older version. */
  enableDowngrade(version: string, options: RequestOptions = {}): Promise<string> {
    return this.#downgrade(DowngradeAction.ENABLE, version, 'write', options);
  }

  /** Takes the announcement back. */
  cancelDowngrade(options: RequestOptions = {}): Promise<string> {
    return this.#downgrade(DowngradeAction.CANCEL, '', 'write', options);
  }

  async #downgrade(
    action: DowngradeAction,
    version: string,
    effect: Effect,
    options: RequestOptions,
  ): Promise<string> {
    const request = DowngradeRequest.create({ action, version });
    return (await this.#requester.call(methods.Downgrade, request, effect, options)).version;
  }

  /** Has another member lead. It asks the one that leads, which must be among the client's endpoints. */
  async moveLeader(to: bigint, options: RequestOptions = {}): Promise<void> {
    const request = MoveLeaderRequest.create({ targetId: to });
    for (const endpoint of this.#requester.balancer.endpoints) {
      const status = await this.#requester.callAt(endpoint, methods.Status, {}, options).catch(() => null);
      if (status === null || status.header?.memberId !== status.leader) continue;
      await this.#requester.callAt(endpoint, methods.MoveLeader, request, options);
      return;
    }
    throw clientError('FLOTILLA_LEADER_UNREACHABLE', 'none of the endpoints is the leader');
  }

  async #at<T>(options: MemberOptions, ask: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    const [endpoint, close] = await this.#endpoint(options);
    try {
      return await ask(endpoint);
    } finally {
      close();
    }
  }

  async #endpoint(options: MemberOptions): Promise<readonly [Endpoint, () => void]> {
    const { balancer, world } = this.#requester;
    const url = options.endpoint;
    if (url === undefined) return [await this.#requester.endpoint(options), nothing];
    const known = balancer.find(url);
    if (known !== undefined) return [known, nothing];
    const own = new Endpoint(world, url);
    return [own, () => own.close()];
  }
}

function nothing(): void {}
