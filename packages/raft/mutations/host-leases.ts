import type { Mutation } from '../../../scripts/mutations/mutation.ts';

const host = 'packages/raft/src/host';
const scenario = 'packages/raft/simulation/host-leases.ts';

/** What can go wrong between the promise of a follower and the lease of a leader. */
export const mutations: readonly Mutation[] = [
  {
    number: 19,
    name: 'lease ignores the drift of clocks',
    description: 'A slow clock has the leader believe in a lease that fast ones have long forgotten.',
    file: `${host}/lease.ts`,
    find: ' * (1 - leaseDriftFraction);',
    replace: ' * (leaseDriftFraction > 1 ? 0 : 1);',
    scenario,
    seeds: 3_000,
  },
  {
    number: 19,
    name: 'lease counted from when the echo came',
    description:
      'The follower had heard the heartbeat long before: its promise is over sooner than the lease.',
    file: `${host}/lease-beats.ts`,
    find: '      sentMs: beat.sentMs,',
    replace: '      sentMs: nowMs,',
    scenario,
    seeds: 3_000,
  },
  {
    number: 19,
    name: 'lease kept through a transfer of leadership',
    description: 'Whom the leader asks to campaign is elected at once, against every promise.',
    file: `${host}/hosted-group.ts`,
    find: "if (message.type === 'timeout-now') this.#lease?.givenUp();",
    replace: '',
    scenario,
    seeds: 3_000,
  },
  {
    number: 19,
    name: 'lease that once held is held until the office is lost',
    description: 'A leader that was paused, or is cut off, has not heard yet that another one was elected.',
    file: `${host}/group-lease.ts`,
    find: 'if (self || this.#promisedUntil(id) > nowMs) holding += 1;',
    replace: 'if (self || this.#promisedUntil(id) > 0) holding += 1;',
    scenario,
    seeds: 3_000,
  },
  {
    number: 19,
    name: 'promise forgotten with the connection',
    description: 'A reset connection frees a follower whose leader still counts on it.',
    file: `${host}/hosted-group.ts`,
    find: "    this.#core.step({ type: 'peer-silent', peer: link.id });",
    replace:
      "    this.#lease?.released(link.id);\n    this.#core.step({ type: 'peer-silent', peer: link.id });",
    scenario,
    seeds: 3_000,
  },
  {
    number: 19,
    name: 'promise forgotten in a restart',
    description: 'A member that starts anew votes at once, though its former life has promised not to.',
    file: `${host}/hosted-group.ts`,
    find: 'new GroupLease(id, view, leases, platform.now() + silentMs)',
    replace: 'new GroupLease(id, view, leases, platform.now())',
    scenario,
    seeds: 3_000,
  },
];
