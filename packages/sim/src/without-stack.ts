/**
 * Makes an error without a stack trace. The simulated network's errors come from the event loop, so their traces say
 * nothing, and taking them was a good part of the time of runs with long partitions.
 */
export function withoutStack<T extends Error>(make: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const error = make();
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}
