import type { Logger, Platform, TraceDetail } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { Replica as PlatformReplica } from '../replica/index.ts';
import type { ReplicaOptions, ReplicaStateMachine } from '../replica/index.ts';

/** What `Replica.open` takes in a Node process. */
export type NodeReplicaOptions<Machine extends ReplicaStateMachine<unknown>> = Omit<
  ReplicaOptions<Machine>,
  'platform'
> & {
  /** The world outside. Default: this process, its files, sockets and clock. */
  readonly platform?: Platform;
  /** Takes what there is to say. Default: warnings and errors as lines of JSON on stderr. Not with `platform`. */
  readonly logger?: Logger;
};

/** One member of a replicated state machine, in this Node process. */
export type Replica<Machine extends ReplicaStateMachine<unknown>> = PlatformReplica<Machine>;

/**
 * Opens replicas in this Node process: everything that they need of the world outside is there.
 *
 * @example
 * import { Replica } from '@flotilla/raft/node';
 * const replica = await Replica.open({ id: 1, dataDir: 'data/n1', peers, stateMachine: new Counter() });
 */
export const Replica = Object.freeze({
  /** As `Replica.open` of `@flotilla/raft`, with the platform of this process. */
  async open<Machine extends ReplicaStateMachine<unknown>>(
    options: NodeReplicaOptions<Machine>,
  ): Promise<Replica<Machine>> {
    const { logger = stderrLogger(options.id), platform, ...rest } = options;
    if (platform !== undefined) return await PlatformReplica.open({ ...rest, platform });
    // A bug, or a fault in a task of its own: this replica stops, and its process may go on.
    let replica: Replica<Machine> | null = null;
    let failure: Error | null = null;
    const onFatal = (error: Error): void => {
      if (replica === null) failure = error;
      else replica.fail(error);
    };
    replica = await PlatformReplica.open({
      ...rest,
      platform: nodePlatform({ nodeName: `n${options.id}`, logger, onFatal }),
    });
    if (failure !== null) replica.fail(failure);
    return replica;
  },
});

/** Never per command: what a person should look at. */
function stderrLogger(id: number): Logger {
  const write =
    (level: string) =>
    (message: string, fields: TraceDetail = {}) => {
      const line = { level, member: id, message, ...fields };
      process.stderr.write(
        `${JSON.stringify(line, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}\n`,
      );
    };
  const silent = (): void => undefined;
  return { debug: silent, info: silent, warn: write('warn'), error: write('error') };
}
