import { encodeMessage, paths } from '../../src/shards/node-messages.ts';
import { ShardLab } from './shard-lab.ts';

const patience = { timeoutMs: 10_000 };

/** For mutations: a node loses the replica that another one of it is about to take over. */
export async function run(): Promise<{
  readonly violation: null | { readonly invariant: string; readonly message: string };
}> {
  try {
    await ShardLab.run({ members: 3 }, takeOverWhatIsGone);
    return { violation: null };
  } catch (error) {
    return { violation: { invariant: 'what is lost comes with a snapshot', message: String(error) } };
  }
}

function takeOverWhatIsGone(lab: ShardLab): void {
  lab.begin();
  const left = lab.split('g');
  lab.led(left);
  const right = lab.split('p');
  lab.led(right);
  lab.put('h', 'kept');
  lab.put('q', 'lost');
  const without = lab.leaderOf(right) === lab.member(2) ? 1 : 2;
  const body = encodeMessage({ shard: right, index: 1_000_000 });
  lab.act(without, ({ shards }) => shards.ask(shards.nodeId, paths.drop, body, patience));
  if (lab.member(without).shards.held(right) !== null) throw new Error('the replica is still there');
  lab.change({ kind: 'merge', shard: right, into: left });
  lab.converge();
  if (lab.get('q', without) !== 'lost') throw new Error('a key is gone');
}
