import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Platform } from '@flotilla/platform';
import { afterAll, expect, test, vi } from 'vitest';
import { decodeTape, simulate, SimulationFailure } from '../index.ts';
import type { SimulateOptions, Simulation } from '../index.ts';

const directory = mkdtempSync(join(tmpdir(), 'flotilla-simulation-'));
const slowDisk = { syncMinMs: 5, syncMaxMs: 30 };
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A number on a disk: with the bug it is acknowledged before it is durable. */
class Register {
  value = 0;
  readonly #platform: Platform;
  readonly #durable: boolean;

  constructor(platform: Platform, durable: boolean) {
    this.#platform = platform;
    this.#durable = durable;
  }

  async start(): Promise<this> {
    const { disk, network } = this.#platform;
    const fresh = !(await disk.exists('value'));
    const file = await disk.open('value', fresh ? 'create' : 'write');
    if (fresh) {
      file.write(0, Uint8Array.of(0));
      await file.sync();
      await disk.syncDirectory('');
    }
    this.value = (await file.read(0, 1))[0] ?? 0;
    await network.listen({ host: '', port: 7 }, {}, (connection) => {
      const add = async (): Promise<void> => {
        this.value += 1;
        file.write(0, Uint8Array.of(this.value));
        const sync = file.sync();
        if (this.#durable) await sync;
        connection.write(Uint8Array.of(this.value));
        await sync;
      };
      connection.start({ data: () => this.#platform.spawn('add', add), drained() {}, closed() {} });
    });
    return this;
  }
}

async function add(platform: Platform, host: string): Promise<number> {
  const connection = await platform.network.connect({ host, port: 7 }, { timeoutMs: 200 });
  return new Promise((resolve, reject) => {
    const timer = platform.timer(300, 'give up', () => connection.destroy());
    connection.start({
      data: (chunk) => {
        resolve(chunk[0] ?? 0);
        connection.close();
      },
      drained() {},
      closed: () => {
        timer.cancel();
        reject(new Error('no answer'));
      },
    });
    connection.write(Uint8Array.of(1));
  });
}

function register(durable: boolean): (sim: Simulation) => Promise<void> {
  return async (sim) => {
    const [server] = sim.nodes(1, (platform) => new Register(platform, durable).start());
    const history = sim.history<'add', number>('lost write', (calls) => {
      const values = calls.flatMap(({ outcome }) => (outcome.type === 'returned' ? [outcome.result] : []));
      const back = values.findIndex((value, i) => i > 0 && value <= (values[i - 1] ?? 0));
      return back < 0 ? null : `${values[back - 1]} was acknowledged, and then ${values[back]}`;
    });
    const again = sim.sometimes('it was started again');
    let starts = 0;
    sim.monitor('restarts are seen', () => {
      if (server?.instance !== null && server?.node.life?.number !== starts) {
        starts = server?.node.life?.number ?? 0;
        again(starts > 1);
      }
    });
    sim.clients(1, async (platform, client) => {
      while (client.goesOn) {
        await history.call(client, 'add', () => add(platform, 'n1'));
        await client.sleep(50);
      }
    });
    sim.nemesis('crashes', { intervalMs: [300, 1500], durationMs: [20, 500] });
    sim.eventually('it answers', { hotLimitMs: 5000, holds: () => server?.instance !== null });
    await sim.run({ faultsMs: 4000, converged: () => server?.running === true });
    expect(history.calls.length).toBeGreaterThan(0);
  };
}

async function failure(
  options: SimulateOptions,
  body: (sim: Simulation) => void | Promise<void>,
): Promise<SimulationFailure> {
  try {
    await simulate({ tapeDirectory: directory, shrinkMs: Infinity, shrinkRuns: 100, ...options }, body);
  } catch (error) {
    if (error instanceof SimulationFailure) return error;
    throw error;
  }
  throw new Error('nothing was found');
}

test('a lost write is found, shrunk to hardly a fault, told in words, and replayed from its tape and by the environment', async () => {
  const found = await failure({ name: 'register', strategy: 'random', world: slowDisk }, register(false));
  expect(found.code).toBe('FLOTILLA_SIMULATION_FAILED');
  expect(found.faults.length).toBeLessThanOrEqual(2);
  const text = found.message;
  expect(text).toMatch(
    new RegExp(`^simulation «register», seed ${found.seed}: lost write\n\\d+ was acknowledged`),
  );
  expect(text).toMatch(
    /\nshrunk in \d+ runs from \d+ faults? to [12]:\n(?:at .*\n)?at \d\.\d{3} s: .*n1.*1 unsynced sectors lost/,
  );
  expect(text).toContain(`\nreport:  ${found.reportPath} `);
  const page = readFileSync(found.reportPath!, 'utf8');
  expect(page).toContain('1 unsynced sectors lost');
  expect(text).toContain(`\ntape:    ${found.tapePath}\nreplay:  FLOTILLA_SIM_REPLAY=${found.tapePath} `);
  expect(text).toContain(`FLOTILLA_SIM_SEED=${found.seed} `);
  const replayed = await failure(
    { name: 'register', replay: found.tapePath!, world: slowDisk },
    register(false),
  );
  expect(replayed.violation).toEqual(found.violation);
  expect(replayed.result.traceHash).toBe(found.result.traceHash);
  vi.stubEnv('FLOTILLA_SIM_REPLAY', found.tapePath!);
  expect((await failure({ name: 'register', world: slowDisk }, register(false))).violation).toEqual(
    found.violation,
  );
  const mended = await simulate({ name: 'register', world: slowDisk }, register(true));
  expect(mended).toMatchObject({ strategy: 'replay', seeds: 1 });
  vi.stubEnv('FLOTILLA_SIM_REPLAY', '');
  vi.stubEnv('FLOTILLA_SIM_SEED', String(found.seed));
  const alone = await failure(
    { name: 'register', strategy: 'random', world: slowDisk, shrinkMs: 0 },
    register(false),
  );
  vi.unstubAllEnvs();
  expect(alone.seed).toBe(found.seed);
  expect(alone.message).toContain('not shrunk: it was not asked for');
});

test('the right program is clean, its runs repeat, and what must be reached is reached', async () => {
  const report = await simulate({ name: 'register', seeds: 20, repeatEvery: 5 }, register(true));
  expect(report.seeds).toBe(20);
  expect(report.coverage.get('it was started again')).toBeGreaterThan(0);
  expect(report.coverage.get('crash')).toBeGreaterThan(0);
});

test('a mark that no run has reached fails the search by name, after all of its seeds', async () => {
  let runs = 0;
  const search = simulate({ name: 'marks', seeds: 7, repeatEvery: 0 }, (sim) => {
    runs += 1;
    sim.sometimes('time passes', () => sim.world.now > 0);
    sim.sometimes('pigs fly')(false);
    sim.node('n1', (platform) => void platform.timer(5, 'tick', () => {}));
  });
  await expect(search).rejects.toMatchObject({
    code: 'FLOTILLA_SIMULATION_UNREACHED',
    message: 'simulation «marks»: in 7 runs it never came to «pigs fly»',
  });
  expect(runs).toBe(7);
});

test('what is hot for too long after the faults is a violation, also where nothing happens any more', async () => {
  const found = await failure({ seeds: 1 }, (sim) => {
    const due = sim.eventually('the answer', { hotLimitMs: 4000 });
    sim.node('n1', (platform) => {
      platform.timer(10, 'ask', () => due.hot());
    });
  });
  expect(found.violation).toMatchObject({ name: 'the answer', timeMs: 34_001 });
  await simulate({ seeds: 1 }, (sim) => {
    const due = sim.eventually('the answer', { hotLimitMs: 4000 });
    sim.node('n1', (platform) => {
      platform.timer(10, 'ask', () => due.hot());
      platform.timer(33_000, 'answer', () => due.cold());
    });
  });
  const early = await failure({ seeds: 1 }, (sim) => {
    sim.eventually('a leader', { hotLimitMs: 4000, during: 'always', holds: () => false });
  });
  expect(early.violation.timeMs).toBe(30_000);
});

test('a minority may stay down for good, and everything is read at the end', async () => {
  const left: number[] = [];
  await simulate({ seeds: 12, repeatEvery: 0 }, async (sim) => {
    const nodes = sim.nodes(3, (platform) => platform.nodeName);
    sim.nemesis('crashes');
    let read = 0;
    const readAll = (): Promise<void> => {
      read = nodes.filter((node) => node.running).length;
      return Promise.resolve();
    };
    await sim.run({ faultsMs: 5000, heal: 'quorum', readAll });
    left.push(read);
  });
  expect(new Set(left)).toEqual(new Set([2, 3]));
});

test('an assertion of the body is the violation, wherever it stands', async () => {
  const found = await failure({ seeds: 1 }, async (sim) => {
    sim.node('n1', () => {});
    await sim.run({ faultsMs: 10 });
    await sim.run({ faultsMs: 10 });
    expect(sim.world.now).toBe(21);
  });
  expect(found.violation).toMatchObject({ name: 'assertion', timeMs: 20 });
  expect(found.message).toMatch(/expected 20 to be 21/);
});

const offences: readonly [string, string, RegExp, (sim: Simulation) => void | Promise<void>][] = [
  [
    'a program that escapes',
    'FLOTILLA_ESCAPED_SIMULATION',
    /n1.*Date\.now was called during a simulation|Date\.now was called during a simulation[^]*at n1/,
    (sim) => void sim.node('n1', () => Date.now()),
  ],
  [
    'a monitor that throws',
    'FLOTILLA_MONITOR_FAILED',
    /the monitor «broken» threw TypeError: Cannot read/,
    (sim) => {
      sim.node('n1', () => {});
      sim.monitor('broken', () => (undefined as unknown as { field: string }).field);
    },
  ],
  [
    'a monitor that answers a promise',
    'FLOTILLA_MONITOR_FAILED',
    /the monitor «late» answered a promise/,
    (sim) => {
      sim.node('n1', () => {});
      sim.monitor('late', () => Promise.resolve() as unknown as void);
    },
  ],
  [
    'a monitor that meddles',
    'FLOTILLA_MONITOR_INFLUENCED',
    /the monitor «meddler» has changed the run/,
    (sim) => {
      sim.node('n1', () => {});
      sim.monitor('meddler', () => void sim.world.after(5, () => {}));
    },
  ],
  [
    'a livelock',
    'FLOTILLA_SIMULATION_LIVELOCK',
    /\d+ events at one instant, the last of them at n1: time does not go on/,
    (sim) => {
      const spin = (platform: Platform): void => void platform.timer(0, 'spin', () => spin(platform));
      sim.node('n1', spin);
    },
  ],
  [
    'promises that wake each other for ever',
    'FLOTILLA_SIMULATION_STUCK',
    /n1 does not give control back: .*promises that wake each other for ever/,
    (sim) => {
      sim.node('n1', async () => {
        for (;;) await Promise.resolve();
      });
    },
  ],
  [
    'a loop without an end in the body',
    'FLOTILLA_SIMULATION_STUCK',
    /the simulation does not give control back/,
    async (sim) => {
      await sim.run({ faultsMs: 10 });
      for (;;);
    },
  ],
  [
    'a queue without a bound',
    'FLOTILLA_SIMULATION_QUEUE',
    /500000 events are waiting, 500000 of them for n1: a queue without a bound/,
    (sim) => {
      sim.node('n1', (platform) => {
        for (;;) platform.timer(1e9, 'never', () => {});
      });
    },
  ],
  [
    'a body that awaits the outside',
    'FLOTILLA_SIMULATION_BODY',
    /awaits something that is no part of the simulation/,
    () => new Promise<void>(() => {}),
  ],
  [
    'a mix that does not exist',
    'FLOTILLA_INVALID_ARGUMENT',
    /no mix of faults is named earthquakes: there are swarm, none, everything/,
    (sim) => sim.nemesis('earthquakes' as 'swarm'),
  ],
];

test.each(offences)('%s is named in one clear message', async (_what, code, message, body) => {
  const stuck = code === 'FLOTILLA_SIMULATION_STUCK' ? { runRealMaxMs: 200 } : {};
  const found = await failure({ name: 'bad', seeds: 1, shrinkMs: 0, ...stuck }, body);
  expect(found.code).toBe(code);
  expect(found.message).toMatch(message);
  // Nothing of it is left behind for whoever comes next.
  await simulate({ seeds: 1 }, (sim) => void sim.node('n1', () => {}));
  expect(Date.now()).toBeGreaterThan(0);
});

test('a run that is another one the second time is told from a bug of the program', async () => {
  let runs = 0;
  const leaky = (sim: Simulation): void => {
    runs += 1;
    const events = runs;
    sim.node('n1', (platform) => {
      for (let i = 0; i < events; i += 1) platform.timer(i, 'leak', () => {});
    });
  };
  const found = await failure({ seeds: 3, repeatEvery: 1 }, leaky);
  expect(found.code).toBe('FLOTILLA_SIMULATION_NONDETERMINISM');
  const once = await failure({ seeds: 3, repeatEvery: 0 }, (sim) => {
    leaky(sim);
    sim.check('moody', () => (runs % 2 === 0 ? 'it was in a bad mood' : null));
  });
  expect(once.code).toBe('FLOTILLA_SIMULATION_NONDETERMINISM');
  expect(once.message).toMatch(/violated «moody» \(it was in a bad mood\) and, a second time, nothing/);
});

test('a damaged tape is named, whatever the damage', async () => {
  const found = await failure({ name: 'register', strategy: 'random', shrinkMs: 1 }, register(false));
  const text = readFileSync(found.tapePath!, 'utf8');
  expect(decodeTape(text).seed).toBe(found.seed);
  const path = join(directory, 'damaged.tape.json');
  const damages: readonly [string, RegExp][] = [
    [text.slice(0, text.length / 2), /damaged\.tape\.json: the tape cannot be read: .*JSON/],
    [text.replace(/(: "[^"]*\b)1\b/, '$12'), /checksum/],
    [text.replace(/"lanes": \{/, '"lanes": {"more": "0x999999999",'), /more than \d+ choices/],
    [
      text.replace('"scenario": "register"', '"scenario": "other"'),
      /is of the simulation «other», this one is «register»/,
    ],
  ];
  for (const [damaged, message] of damages) {
    expect(damaged).not.toBe(text);
    writeFileSync(path, damaged);
    const replay = simulate({ name: 'register', replay: path }, register(false));
    await expect(replay).rejects.toMatchObject({ code: 'FLOTILLA_TAPE_INVALID', message: expect.stringMatching(message) }); // prettier-ignore
  }
  const missing = simulate({ replay: join(directory, 'none.json') }, () => {});
  await expect(missing).rejects.toMatchObject({ code: 'FLOTILLA_TAPE_INVALID' });
});
