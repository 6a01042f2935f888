import { InProcessCluster } from '../../../server/test/support/in-process.ts';
import { Etcd } from '../../../server/test/support/etcd.ts';

/** Something that speaks etcd's API. */
export interface Backend {
  readonly endpoints: readonly string[];
  remove(): Promise<void>;
}

/** What every test of behaviour that both have runs against. */
export const backends: readonly (readonly [name: string, start: () => Promise<Backend>])[] = [
  ['Flotilla', () => InProcessCluster.start(1)],
  ['etcd', startEtcd],
];

async function startEtcd(): Promise<Backend> {
  const etcd = await Etcd.start();
  return { endpoints: [etcd.endpoint], remove: () => etcd.remove() };
}
