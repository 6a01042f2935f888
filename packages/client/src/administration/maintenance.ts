import {
  AlarmAction,
  AlarmRequest,
  AlarmType,
  HashKVRequest,
  Maintenance as MaintenanceService,
  MoveLeaderRequest,
  SnapshotRequest,
  openStream,
} from '@flotilla/wire';
import type { AlarmMember, HashKVResponse, StatusResponse } from '@flotilla/wire';
import { toBuffer } from '../bytes.ts';
import { Endpoint } from '../connection/endpoint.ts';
import type { RequestOptions, Requester } from '../connection/requester.ts';
import { clientError, toEtcdError } from '../errors.ts';
import { limits } from '../limits.ts';

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

  /**
   * A member's whole state as a file of etcd's, in pieces.
   *
   * @example
   * await pipeline(client.maintenance.snapshot(), createWriteStream('backup.db'));
   */
  async *snapshot(options: MemberOptions = {}): AsyncGenerator<Buffer> {
    const [endpoint, close] = await this.#endpoint(options);
    const release = endpoint.holdStream();
    const timeoutMs = limits.attemptTimeoutMs;
    const { metadata } = await this.#requester.metadataFor(endpoint, timeoutMs, null);
    const { signal } = options;
    const settings = { metadata, ...(signal === undefined ? {} : { signal }) };
    const stream = openStream(endpoint.channel, methods.Snapshot, settings);
    try {
      stream.write(SnapshotRequest.create());
      stream.end();
      for (let part = await stream.read(); part !== null; part = await stream.read()) {
        yield toBuffer(part.blob);
      }
    } catch (error) {
      throw toEtcdError(error, 'not executed');
    } finally {
      stream.cancel();
      release();
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
    const { balancer, world, requestTimeoutMs } = this.#requester;
    const url = options.endpoint;
    if (url === undefined) {
      const timeoutMs = options.timeoutMs ?? requestTimeoutMs;
      const endpoint = balancer.pick(null) ?? (await balancer.wait(timeoutMs, options.signal));
      return [endpoint, nothing];
    }
    const known = balancer.find(url);
    if (known !== undefined) return [known, nothing];
    const own = new Endpoint(world, url);
    return [own, () => own.close()];
  }
}

function nothing(): void {}
