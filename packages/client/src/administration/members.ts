import {
  Cluster,
  MemberAddRequest,
  MemberListRequest,
  MemberPromoteRequest,
  MemberRemoveRequest,
  MemberUpdateRequest,
} from '@flotilla/wire';
import type { Member } from '@flotilla/wire';
import type { RequestOptions, Requester } from '../connection/requester.ts';

export type { Member };

/** Who is in the cluster. */
export class Members {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  async list(options: { readonly linearizable?: boolean } & RequestOptions = {}): Promise<readonly Member[]> {
    const request = MemberListRequest.create({ linearizable: options.linearizable ?? true });
    return (await this.#requester.call(Cluster.methods.MemberList, request, 'read', options)).members;
  }

  /** Answers the new member; start it with the cluster's list. */
  async add(
    peerUrls: readonly string[],
    options: { readonly learner?: boolean } & RequestOptions = {},
  ): Promise<Member> {
    const request = MemberAddRequest.create({ peerUrls, isLearner: options.learner ?? false });
    const { member } = await this.#requester.call(Cluster.methods.MemberAdd, request, 'write', options);
    if (member === null) throw new Error('the server added a member and did not say which');
    return member;
  }

  async remove(id: bigint, options: RequestOptions = {}): Promise<void> {
    const request = MemberRemoveRequest.create({ id });
    await this.#requester.call(Cluster.methods.MemberRemove, request, 'write', options);
  }

  async update(id: bigint, peerUrls: readonly string[], options: RequestOptions = {}): Promise<void> {
    const request = MemberUpdateRequest.create({ id, peerUrls });
    await this.#requester.call(Cluster.methods.MemberUpdate, request, 'write', options);
  }

  /** Lets a learner vote. */
  async promote(id: bigint, options: RequestOptions = {}): Promise<void> {
    const request = MemberPromoteRequest.create({ id });
    await this.#requester.call(Cluster.methods.MemberPromote, request, 'write', options);
  }
}
