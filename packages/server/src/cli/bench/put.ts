import { randomBytes } from 'node:crypto';
import { KV, PutRequest, StatusRequest, Maintenance, callUnary } from '@flotilla/wire';
import type { RpcChannel } from '@flotilla/wire';
import { keyOf, keySequence } from './keys.ts';
import { Measurement, callsOf, openChannels, runLoad } from './load.ts';
import type { BenchReport, BenchSettings } from './settings.ts';

/** Writes keys of the key space in random order. */
export async function benchPut(settings: BenchSettings): Promise<BenchReport> {
  const channels = await openChannels(settings, probe);
  const measurement = new Measurement(settings);
  await runLoad(settings, channels, measurement, callsOf(KV.methods.Put.path, putFrames(settings)));
  const report = measurement.report('put');
  for (const channel of channels) channel.close();
  return report;
}

/** Resolves when the member answers. */
export function probe(channel: RpcChannel): Promise<unknown> {
  return callUnary(channel, Maintenance.methods.Status, StatusRequest.create(), { timeoutMs: PROBE_MS });
}

const PROBE_MS = 5_000;

/** Encoded once; each request is a copy with its own key in place, which a sender may keep until it is sent. */
export function putFrames(settings: BenchSettings, order = keySequence(settings.keySpace)): () => Uint8Array {
  const key = keyOf(settings, 0);
  const value = randomBytes(settings.valueSize);
  const template = PutRequest.encodeFrame(PutRequest.create({ key, value }));
  const keyAt = Buffer.from(template.buffer, template.byteOffset, template.length).indexOf(key);
  return () => {
    const frame = template.slice();
    frame.set(keyOf(settings, order()), keyAt);
    return frame;
  };
}
