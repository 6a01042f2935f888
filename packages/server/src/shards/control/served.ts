/**
 * Whether members serve shards: the services of `flotilla.v1`, `/shards`, and the commands `shard` and `node`. The one
 * place that says so, until all of what they need is there.
 */
export const shardsAreServed: boolean = true;
