import type { Mutation } from '../../../scripts/mutations/mutation.ts';

const scenario = 'packages/server/simulation/leases/leases.ts';
const lessor = 'packages/server/src/member/lessor.ts';
const leases = 'packages/store/src/leases/leases.ts';

/** What can go wrong between the time of a lease, which each member keeps for itself, and the log, which knows none. */
export const mutations: readonly Mutation[] = [
  {
    number: 32,
    name: 'revokes a lease whatever was renewed meanwhile',
    description:
      'A renewal that the log has before the expiry was acknowledged; the lease dies all the same.',
    file: leases,
    find: 'if (this.records.get(id)?.generation === generation) this.#remove(id);',
    replace: 'if (generation > 0 && this.records.has(id)) this.#remove(id);',
    scenario,
    seeds: 400,
  },
  {
    number: 32,
    name: 'renews a lease without the log',
    description:
      'Only the member that was asked knows: the leader, or the next one, counts from the grant on.',
    file: 'packages/server/src/member/member-leases.ts',
    find: 'return this.#renewals.renew(id);',
    replace:
      'if (!this.#database.leases.has(id)) return this.#renewals.renew(id);\n' +
      '    return Promise.resolve(this.#database.leases.get(id)?.ttl ?? 0);',
    scenario,
    seeds: 100,
  },
  {
    number: 32,
    name: 'renewals do not move the deadline',
    description: 'A lease ends when it would have ended without its client.',
    file: lessor,
    find: 'this.#track(lease, lease.ttl);',
    replace: 'this.#track(lease, (this.timeOf(lease.id)?.remainingMs ?? lease.ttl * 1_000) / 1_000);',
    scenario,
    seeds: 100,
  },
  {
    number: 32,
    name: 'a restart forgets what is left of leases',
    description:
      'A member that comes back and leads gives every lease the time that an election takes, and no more.',
    file: lessor,
    find: 'else this.#track(lease, lease.remaining);',
    replace: 'else this.#track(lease, 0);',
    scenario,
    seeds: 400,
  },
  {
    number: 32,
    name: 'deletes the keys of a lease one by one',
    description: 'Whoever watches sees a lease that is half gone.',
    file: leases,
    find: 'this.#keys.executeDelete(DeleteRangeRequest.create({ key }));',
    replace: 'this.#keys.executeDelete(DeleteRangeRequest.create({ key }));\n      this.#keys.end();',
    scenario,
    seeds: 100,
  },
  {
    number: 32,
    name: 'a key that is put without a lease stays with its old one',
    description: 'The key dies with a lease that it was taken from.',
    file: leases,
    find: 'if (from !== 0n) this.records.detach(from, key);',
    replace: '',
    scenario,
    seeds: 100,
  },
];
