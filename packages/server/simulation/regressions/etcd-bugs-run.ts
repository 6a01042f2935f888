import { messageOf } from '@flotilla/platform';
import { etcdBugs, type EtcdBug } from './etcd-bugs.ts';

/** For mutations: the seed chooses the bug, by its place in the list, from 1. */
export async function run(
  seed: number,
): Promise<{ readonly violation: null | { readonly invariant: string; readonly message: string } }> {
  const { issue, scenario } = etcdBugs[(seed - 1) % etcdBugs.length] as EtcdBug;
  try {
    await scenario(1 + Math.floor((seed - 1) / etcdBugs.length));
    return { violation: null };
  } catch (error) {
    return { violation: { invariant: `etcd #${issue}`, message: messageOf(error) } };
  }
}
