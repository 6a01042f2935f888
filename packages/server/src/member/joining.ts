import { type Address, FlotillaError, messageOf, type Platform } from '@flotilla/platform';
import type { Host, NodeId } from '@flotilla/raft';
import { highestLevel } from '@flotilla/store';
import { type Configuration, type InitialMember, urlsKey } from '../configuration/configuration.ts';
import { addressOf } from '../configuration/listen-url.ts';
import { limits } from '../limits.ts';
import type { PeerCalls } from '../peer/peer-calls.ts';
import type { DataDirectory, Invitation, KnownMember } from './data-directory.ts';
import type { Membership } from './membership.ts';
import { API_VERSION } from './version.ts';

/** What is asked on the peer port, by the names that etcd has for the same. */
const membersPath = '/members';
const versionPath = '/version';

/** Answers those who want to join. */
export function answerJoiners(
  calls: PeerCalls,
  { identity }: DataDirectory,
  host: Host,
  membership: Membership,
): void {
  calls.handle(versionPath, () => encode({ etcdserver: API_VERSION, etcdcluster: API_VERSION }));
  calls.handle(membersPath, () => {
    const answer: MembersAnswer = {
      clusterId: identity.clusterId.toString(16),
      token: identity.token,
      level: membership.level,
      changedAt: membership.changedAt,
      members: membership.members.map(({ memberId, nodeId, ...member }) => ({
        ...member,
        nodeId,
        memberId: memberId.toString(16),
        isBootstrapped: host.knows(nodeId),
      })),
    };
    return encode(answer);
  });
}

/**
 * Finds the place of this member in a cluster that exists: asks everybody in `--initial-cluster` who the members are,
 * believes who knows of the latest change, and looks for itself by its peer URLs, since nobody knows its name yet. The
 * list on the command line must be the members, no more and no fewer, as in etcd: whoever has another one in mind is
 * about to join the wrong cluster.
 *
 * A newcomer that is to vote has to hear it from everybody else who votes that this member was never met. Had it been
 * here before, voted and acknowledged, and lost its data before the log could say who it is, then whoever counted that
 * knows; were that one not asked, the newcomer could vote once more. A learner's word counts for nothing, and it is
 * promoted only when the log says who it is.
 *
 * Rejects with `FLOTILLA_JOIN_FAILED` (nobody answered, or not all that must) or `FLOTILLA_JOIN_REFUSED`.
 */
export async function askToJoin(
  platform: Platform,
  calls: PeerCalls,
  configuration: Configuration,
): Promise<Invitation> {
  const wished = configuration.initialCluster ?? [];
  const others = wished.filter(({ name }) => name !== configuration.name).flatMap(({ peerUrls }) => peerUrls);
  const urls = [...new Set(others)].sort();
  const answers = await Promise.all(urls.map((url) => ask(platform, calls, url)));
  const known = answers.filter((answer) => answer !== null);
  const [latest] = known.sort((a, b) => b.changedAt - a.changedAt);
  if (latest === undefined) {
    throw new FlotillaError(
      'FLOTILLA_JOIN_FAILED',
      'cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs',
    );
  }
  const invitation = invitationFrom(latest, wished, configuration);
  requireNew(invitation, known);
  const silent = urls.filter((_, i) => answers[i] === null);
  requireVoters(latest, invitation, silent);
  return invitation;
}

/** It had data once. Under its old id it could vote twice in one election. */
function requireNew({ self }: Invitation, answers: readonly MembersAnswer[]): void {
  const isBootstrapped = answers.some(({ members }) =>
    members.some((member) => member.nodeId === self.nodeId && member.isBootstrapped),
  );
  if (!isBootstrapped) return;
  const id = self.memberId.toString(16);
  throw new FlotillaError(
    'FLOTILLA_JOIN_REFUSED',
    `member ${id} has already been bootstrapped: remove it, and add it anew`,
  );
}

/** `silent`: URLs at which nobody answered. One that was never there has counted nothing. */
function requireVoters({ members }: MembersAnswer, { self }: Invitation, silent: readonly string[]): void {
  const own = members.find(({ nodeId }) => nodeId === self.nodeId);
  if (own?.isLearner === true) return;
  const missing = members.find(
    ({ nodeId, isLearner, isBootstrapped, peerUrls }) =>
      nodeId !== self.nodeId && !isLearner && isBootstrapped && peerUrls.every((url) => silent.includes(url)),
  );
  if (missing === undefined) return;
  throw new FlotillaError(
    'FLOTILLA_JOIN_FAILED',
    `member ${missing.memberId} votes and cannot be asked whether it has met this one: start or remove it, ` +
      'or add this one as a learner',
  );
}

function invitationFrom(
  answer: MembersAnswer,
  wished: readonly InitialMember[],
  { name, initialClusterToken }: Configuration,
): Invitation {
  const { members, level } = answer;
  const described = members.map(({ memberId, peerUrls }) => `${memberId}=${urlsKey(peerUrls)}`).join(' ');
  const refuse = (reason: string): never => {
    throw new FlotillaError('FLOTILLA_JOIN_REFUSED', `error validating peerURLs {${described}}: ${reason}`);
  };
  if (members.length !== wished.length) refuse('member count is unequal');
  for (const { memberId, peerUrls } of members) {
    if (wished.some((member) => urlsKey(member.peerUrls) === urlsKey(peerUrls))) continue;
    refuse(
      `unmatched member while checking PeerURLs (no match found for existing member ${memberId}, ${urlsKey(peerUrls)})`,
    );
  }
  const own = wished.find((member) => member.name === name);
  const self = members.find(({ peerUrls }) => urlsKey(peerUrls) === urlsKey(own?.peerUrls ?? []));
  if (self === undefined) return refuse('unmatched member while checking PeerURLs');
  if (level > highestLevel)
    refuse(`the cluster is at level ${level}, this program understands ${highestLevel}`);
  const known = members.map(memberOf);
  return {
    identity: { clusterId: BigInt(`0x${answer.clusterId}`), token: initialClusterToken, members: [] },
    self: { ...memberOf(self), name },
    known: { changedAt: answer.changedAt, members: known },
  };
}

/** Null: no answer, or none that makes sense. */
async function ask(platform: Platform, calls: PeerCalls, url: string): Promise<MembersAnswer | null> {
  try {
    const address: Address = addressOf(url);
    const answer = await calls.call(address, membersPath, new Uint8Array(0), limits.joinAttemptMs);
    const { members } = decode(answer);
    return Array.isArray(members) && members.length > 0 ? decode(answer) : null;
  } catch (error) {
    platform.log.warn('failed to get cluster response', {
      address: `${url}${membersPath}`,
      reason: messageOf(error),
    });
    return null;
  }
}

interface MembersAnswer {
  readonly clusterId: string;
  readonly token: string;
  /** Of the proposals that are in use: a program that does not understand them must not join. */
  readonly level: number;
  readonly changedAt: number;
  readonly members: readonly MemberAnswer[];
}

interface MemberAnswer {
  readonly nodeId: number;
  readonly memberId: string;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
  readonly level: number;
  readonly isBootstrapped: boolean;
}

function memberOf({ nodeId, memberId, name, peerUrls, isLearner, level }: MemberAnswer): KnownMember {
  return { nodeId: nodeId as NodeId, memberId: BigInt(`0x${memberId}`), name, peerUrls, isLearner, level };
}

function encode(content: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(content));
}

function decode(bytes: Uint8Array): MembersAnswer {
  return JSON.parse(new TextDecoder().decode(bytes)) as MembersAnswer;
}
