import { KV, RangeRequest } from '@flotilla/wire';
import type { RpcChannel } from '@flotilla/wire';
import { KEY_PREFIX, keyOf, keySequence, prefixEnd } from './keys.ts';
import { Measurement, callsOf, openChannels, runLoad } from './load.ts';
import { probe, putFrames } from './put.ts';
import type { BenchReport, BenchSettings } from './settings.ts';

/** Fills the key space, then reads: one key at a time, or `limit` keys, or a count of all. */
export async function benchRange(settings: BenchSettings): Promise<BenchReport> {
  const channels = await openChannels(settings, probe);
  await fill(settings, channels);
  const measurement = new Measurement(settings);
  await runLoad(settings, channels, measurement, callsOf(KV.methods.Range.path, rangeFrames(settings)));
  const { limit, countOnly, serializable } = settings;
  const report = { ...measurement.report('range'), limit, countOnly, serializable };
  for (const channel of channels) channel.close();
  return report;
}

/** Not measured. */
async function fill(settings: BenchSettings, channels: readonly RpcChannel[]): Promise<void> {
  let next = 0;
  const filling = { ...settings, total: settings.keySpace, seconds: Number.POSITIVE_INFINITY, rate: 0 };
  const writes = new Measurement(filling);
  const frames = putFrames(filling, () => {
    next += 1;
    return (next - 1) % settings.keySpace;
  });
  await runLoad(filling, channels, writes, callsOf(KV.methods.Put.path, frames));
}

function rangeFrames(settings: BenchSettings): () => Uint8Array {
  const { limit, countOnly, serializable } = settings;
  if (countOnly || limit > 0) {
    const whole = { key: Buffer.from(KEY_PREFIX, 'latin1'), rangeEnd: prefixEnd() };
    const frame = RangeRequest.encodeFrame(RangeRequest.create({ ...whole, limit, countOnly, serializable }));
    return () => frame;
  }
  const order = keySequence(settings.keySpace);
  const key = keyOf(settings, 0);
  const template = RangeRequest.encodeFrame(RangeRequest.create({ key, serializable }));
  const keyAt = Buffer.from(template.buffer, template.byteOffset, template.length).indexOf(key);
  return () => {
    const frame = template.slice();
    frame.set(keyOf(settings, order()), keyAt);
    return frame;
  };
}
