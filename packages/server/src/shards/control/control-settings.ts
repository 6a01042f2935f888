import { limits } from '../../limits.ts';
import { defaultSettings, type PlacementSettings } from '../../placement/settings.ts';

/** What placement is told by the control of a real cluster. Each node says itself for how long it has been up. */
export function controlSettings(lostAfterMs: number): PlacementSettings {
  return { ...defaultSettings, steadyAfterMs: limits.nodeSteadyMs, lostAfterMs };
}
