import { checkLinearizability, describeVerdict, registerModel } from '@flotilla/check';
import type { RegisterOperation, RegisterResult } from '@flotilla/check';
import { loadProgram, simulate } from '@flotilla/sim';
import type { SimulateOptions, SimulateReport } from '@flotilla/sim';

type Client = { ask: (host: string, port: number, line: string) => Promise<string> };

const server = loadProgram(new URL('server.mjs', import.meta.url));
const client = loadProgram(new URL('client.mjs', import.meta.url));

/** A server, its standby and three clients under whatever faults there are: what `server.mjs` promises must hold. */
export function simulateKeyValue(mistakes: string, options: SimulateOptions = {}): Promise<SimulateReport> {
  return simulate({ name: 'key-value', ...options }, async (sim) => {
    const environment = { MISTAKES: mistakes };
    const nodes = sim.nodes(2, (platform, index) => server.start(platform, { environment, arguments: index === 0 ? ['--standby', 'n2:7000'] : [] })); // prettier-ignore
    const history = sim.history<RegisterOperation, RegisterResult>('linearizability', (calls) => {
      const { verdict } = checkLinearizability(registerModel, calls);
      return verdict.outcome === 'ok' ? null : describeVerdict(verdict);
    });
    let writes = 0;
    sim.clients(3, async (platform, self) => {
      const { ask } = await client.import<Client>(platform);
      for (; self.goesOn; await self.sleep(100)) {
        const key = `k${self.choose(2, 'key')}`;
        const value = `v${(writes += 1)}`;
        if (self.choose(2, 'read or write') === 0) await history.call(self, { type: 'read', key }, async () => ({ type: 'read', value: /^value (.*)/.exec(await ask('n1', 7000, `get ${key}`))?.[1] ?? null })); // prettier-ignore
        else await history.call(self, { type: 'write', key, value }, async () => (await ask('n1', 7000, `set ${key} ${value}`), { type: 'write' })); // prettier-ignore
      }
    });
    sim.nemesis();
    const lengths = (): unknown[] => nodes.map(({ instance }) => (instance?.exports['entries'] as unknown[] | undefined)?.length); // prettier-ignore
    await sim.run({ faultsMs: 3000, convergeMs: 12_000, converged: () => new Set(lengths()).size === 1, describe: () => `the logs have ${lengths().join(' and ')} entries` }); // prettier-ignore
  });
}
