import { openHttp2Channel } from '@flotilla/wire/node';
import { describe, expect, it } from 'vitest';
import { Etcd } from '../support/etcd.ts';
import { requireProgram } from '../support/programs.ts';
import { judge } from './process-run.ts';
import { Traffic, newHistory, readEverything } from './traffic.ts';
import { Watcher, watchEverything } from './watching.ts';

describe.skipIf(!requireProgram('etcd', 'the checkers against a real etcd'))('a real etcd', () => {
  it('passes the checkers that Flotilla has to pass', async () => {
    const etcd = await Etcd.start();
    const channel = openHttp2Channel({ endpoints: [etcd.endpoint] });
    try {
      const history = newHistory();
      const traffic = new Traffic(history, [etcd.endpoint], 16, 2);
      const watcher = new Watcher('watcher of k/', 'k/', [etcd.endpoint]);
      await traffic.reached(500);
      await traffic.stop();
      await watcher.stop();
      const revision = await readEverything(history, channel);
      const whole = await watchEverything('history of etcd', channel, revision);
      expect(judge(history.calls, [whole], watcher.records)).toEqual({
        revisions: { outcome: 'ok' },
        linearizability: { outcome: 'ok' },
        watches: { outcome: 'ok' },
      });
    } finally {
      channel.close();
      await etcd.remove();
    }
  });
});
