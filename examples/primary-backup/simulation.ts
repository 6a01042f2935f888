import { checkLinearizability, describeVerdict, registerModel } from '@flotilla/check';
import type { RegisterOperation, RegisterResult } from '@flotilla/check';
import { simulate } from '@flotilla/sim';
import type { SimulateOptions, SimulateReport } from '@flotilla/sim';
import { get, put, startReplica } from './primary-backup.ts';
import type { Bugs } from './primary-backup.ts';

/** Two replicas and three clients under whatever faults there are; what the clients saw must be linearizable. */
export function simulatePrimaryBackup(bugs: Bugs, options: SimulateOptions): Promise<SimulateReport> {
  return simulate({ name: 'primary-backup', ...options }, async (sim) => {
    const replicas = sim.nodes(2, (platform) => startReplica(platform, bugs));
    const history = sim.history<RegisterOperation, RegisterResult>('linearizability', (calls) => {
      const { verdict } = checkLinearizability(registerModel, calls);
      return verdict.outcome === 'ok' ? null : describeVerdict(verdict);
    });
    let writes = 0;
    sim.clients(3, async (platform, client) => {
      for (; client.goesOn; await client.sleep(100)) {
        const key = `k${client.choose(2, 'key')}`;
        const value = `v${(writes += 1)}`;
        if (client.choose(2, 'read or write') === 0) {
          await history.call(client, { type: 'read', key }, () => get(platform, key));
        } else await history.call(client, { type: 'write', key, value }, () => put(platform, key, value));
      }
    });
    sim.nemesis();
    sim.sometimes('a replica was behind', () => new Set(lengths()).size > 1);
    const lengths = (): unknown[] => replicas.map(({ instance }) => instance?.log.durable);
    await sim.run({ faultsMs: 5000, convergeMs: 5000, converged: () => new Set(lengths()).size === 1, describe: () => `the logs have ${lengths().join(' and ')} entries` }); // prettier-ignore
  });
}
