import type { ClusterSettings } from './cluster-settings.ts';

/** Connections are given up after so long at most, where settings name only how soon. */
const giveUpMaxMs = 16_000;
/** What a lost segment costs where settings do not say. */
const retransmitMs = 200;

/**
 * The same cluster with its times divided by `by`: as many elections, faults and requests in as much less time, and so
 * as many seeds more in an hour. Deliveries are split less often, too: that is most of the events where it happens.
 */
export function hurriedSettings(settings: ClusterSettings, by: number): ClusterSettings {
  const { world } = settings;
  const shorter = <Name extends Exclude<keyof ClusterSettings['world'], 'refusesInTime'>>(
    ...names: readonly Name[]
  ) => Object.fromEntries(names.map((name) => [name, (world[name] ?? 0) / by]));
  return {
    ...settings,
    heartbeatMs: Math.floor(settings.heartbeatMs / by),
    electionMs: Math.round(settings.electionMs / by),
    commitDelayMs: settings.commitDelayMs / by,
    flushDelayMs: settings.flushDelayMs / by,
    thinkMs: settings.thinkMs / by,
    requestTimeoutMs: settings.requestTimeoutMs / by,
    faultIntervalMinMs: settings.faultIntervalMinMs / by,
    faultIntervalMaxMs: settings.faultIntervalMaxMs / by,
    faultDurationMaxMs: settings.faultDurationMaxMs / by,
    world: {
      ...world,
      ...shorter('delayMaxMs', 'spikeMaxMs', 'giveUpMinMs', 'syncMaxMs', 'stallMaxMs'),
      splitPerMille: (world.splitPerMille ?? 0) / by,
      giveUpMaxMs: giveUpMaxMs / by,
      retransmitMs: retransmitMs / by,
    },
  };
}
