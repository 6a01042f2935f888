import type { Address, Platform } from '@flotilla/platform';
import type { Configuration, Group, Host, NodeId } from '@flotilla/raft';
import type { Database, MemberRecords } from '@flotilla/store';
import { addressOf } from '../configuration/listen-url.ts';
import { clusterLevel, firstLevel } from './cluster-level.ts';
import type { DataDirectory, KnownMember, KnownMembers } from './data-directory.ts';
import { decodePublication } from './publication.ts';

/** One member, as everybody is told of it. */
export interface MemberInfo extends KnownMember {
  readonly clientUrls: readonly string[];
  /** It has told the others of itself: the process was there, and as etcd has it, it has a name. */
  readonly isStarted: boolean;
}

export interface MembershipParts {
  readonly platform: Platform;
  readonly directory: DataDirectory;
  readonly database: Database;
  readonly host: Host;
  readonly group: Group<unknown>;
}

/**
 * Who is in the cluster, as of what is applied here. Raft's configuration decides who votes; the registry in the
 * replicated state says who that is. Before the first change the members are those of `cluster.json`, and where there
 * is no state yet, or none any more, those that this member last heard of.
 *
 * Follows the changes: the host is told where the others listen, and `cluster.json` who they are.
 */
export class Membership {
  readonly #parts: MembershipParts;
  /** Where the host believes the others to be. */
  readonly #told = new Map<NodeId, string>();
  #view: View | null = null;
  /** What `cluster.json` was told last. */
  #remembered = '';
  #due = false;
  #stopped = false;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
    const { directory, database } = parts;
    for (const [nodeId, address] of peersOf(directory, database)) this.#told.set(nodeId, textOf(address));
    database.followMembers(() => this.#follow());
    this.#follow();
  }

  /** In the order of their member ids, as etcd lists them. */
  get members(): readonly MemberInfo[] {
    return this.#current().members;
  }

  /** The highest level of proposals that every member understands. */
  get level(): number {
    return this.#current().level;
  }

  /** As {@link Membership.level}, of those alone that have told the others of themselves. */
  get levelOfStarted(): number {
    const { database } = this.#parts;
    const started = this.members.filter(({ nodeId }) => database.members.has(nodeId));
    return clusterLevel(started, database.members);
  }

  /** Of the last change; 0: there was none. */
  get changedAt(): number {
    return this.#current().changedAt;
  }

  /** This member; null: it was removed. */
  get self(): MemberInfo | null {
    return this.byNodeId(this.#parts.directory.self.nodeId);
  }

  byNodeId(nodeId: number): MemberInfo | null {
    return this.members.find((member) => member.nodeId === nodeId) ?? null;
  }

  byMemberId(memberId: bigint): MemberInfo | null {
    return this.members.find((member) => member.memberId === memberId) ?? null;
  }

  stop(): void {
    this.#stopped = true;
  }

  #current(): View {
    const { database, group } = this.#parts;
    const { configuration } = group.status();
    const { changedAt } = database.registry;
    const known = this.#view;
    if (
      known?.records === database.members &&
      known.registryAt === changedAt &&
      known.configuration === configuration
    ) {
      return known;
    }
    this.#view = this.#look(configuration);
    return this.#view;
  }

  #look(configuration: Configuration): View {
    const { directory, database } = this.#parts;
    const records = database.members;
    const known = knownMembers(directory, database);
    const { members, changedAt } = known ?? { members: foundersIn(directory, configuration), changedAt: 0 };
    const infos = members.map((member) => withPublication(member, records));
    infos.sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
    const level = clusterLevel(infos, records);
    return {
      members: infos,
      level,
      changedAt,
      registryAt: database.registry.changedAt,
      records,
      configuration,
    };
  }

  /** Called in the middle of applying: what follows from it waits for the end of the turn. */
  #follow(): void {
    if (this.#due) return;
    this.#due = true;
    this.#parts.platform.defer(() => {
      this.#due = false;
      if (!this.#stopped) this.#followed();
    });
  }

  #followed(): void {
    const { host, directory, database } = this.#parts;
    const { members, changedAt } = this.#current();
    // Nothing has changed, or the state is behind what was known before.
    if (changedAt === 0 || changedAt !== database.registry.changedAt) return;
    for (const { nodeId, peerUrls } of members) {
      if (nodeId === directory.self.nodeId) continue;
      const address = addressOf(peerUrls[0] as string);
      if (this.#told.get(nodeId) === textOf(address)) continue;
      this.#told.set(nodeId, textOf(address));
      host.setPeer(nodeId, address);
    }
    for (const nodeId of this.#told.keys()) {
      if (nodeId === directory.self.nodeId || this.byNodeId(nodeId) !== null) continue;
      this.#told.delete(nodeId);
      host.removePeer(nodeId);
    }
    this.#remember({ changedAt, members: members.map(withoutPublication) });
  }

  #remember(known: KnownMembers): void {
    const text = describe(known);
    if (text === this.#remembered) return;
    this.#remembered = text;
    this.#parts.directory.remember(known);
  }
}

/** Whom the host may meet from the start on, and where. */
export function peersOf(directory: DataDirectory, database: Database): ReadonlyMap<NodeId, Address> {
  const members = knownMembers(directory, database)?.members ?? directory.identity.members;
  return new Map(members.map(({ nodeId, peerUrls }) => [nodeId, addressOf(peerUrls[0] as string)]));
}

interface View {
  readonly members: readonly MemberInfo[];
  readonly level: number;
  readonly changedAt: number;
  readonly registryAt: number;
  readonly records: MemberRecords;
  readonly configuration: Configuration;
}

/** The newer of what is applied and of what was written down; null: nobody has ever changed anything. */
function knownMembers({ lastKnown }: DataDirectory, { registry }: Database): KnownMembers | null {
  if (lastKnown !== null && lastKnown.changedAt > registry.changedAt) return lastKnown;
  if (!registry.isInUse) return null;
  const members = [...registry.members.values()].map((member) => ({
    ...member,
    nodeId: member.nodeId as NodeId,
  }));
  return { changedAt: registry.changedAt, members };
}

/** A recovery may have left some of them out. */
function foundersIn({ identity }: DataDirectory, configuration: Configuration): KnownMember[] {
  const { voters, votersOutgoing, learners, learnersNext } = configuration;
  const ids = new Set([...voters, ...votersOutgoing, ...learners, ...learnersNext]);
  return identity.members
    .filter(({ nodeId }) => ids.size === 0 || ids.has(nodeId))
    .map((member) => ({ ...member, isLearner: learners.includes(member.nodeId), level: firstLevel }));
}

function withPublication(member: KnownMember, records: MemberRecords): MemberInfo {
  const publication = decodePublication(records.get(member.nodeId));
  const name = publication?.name ?? member.name;
  return {
    ...member,
    name,
    clientUrls: publication?.clientUrls ?? [],
    isStarted: name !== '',
  };
}

function withoutPublication({ nodeId, memberId, name, peerUrls, isLearner, level }: MemberInfo): KnownMember {
  return { nodeId, memberId, name, peerUrls, isLearner, level };
}

function describe({ changedAt, members }: KnownMembers): string {
  return [
    changedAt,
    ...members.map(({ nodeId, name, peerUrls }) => `${nodeId} ${name} ${peerUrls.join()}`),
  ].join('\n');
}

function textOf({ host, port }: Address): string {
  return `${host}:${port}`;
}
