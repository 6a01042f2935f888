import { randomBytes } from 'node:crypto';
import { KV, PutRequest, TxnRequest } from '@flotilla/wire';
import { keyOf } from './keys.ts';
import { Measurement, callsOf, openChannels, runLoad } from './load.ts';
import { probe } from './put.ts';
import type { BenchReport, BenchSettings } from './settings.ts';

/** Writes every key of the key space once, in order, `batch` of them in a transaction; a request is a transaction. */
export async function benchFill(settings: BenchSettings): Promise<BenchReport> {
  const channels = await openChannels(settings, probe);
  const { keySpace, batch } = settings;
  const transactions = Math.ceil(keySpace / batch);
  const filling = { ...settings, total: transactions, seconds: Number.POSITIVE_INFINITY, rate: 0 };
  const measurement = new Measurement(filling);
  await runLoad(filling, channels, measurement, callsOf(KV.methods.Txn.path, transactionFrames(settings)));
  const measured = measurement.report('fill');
  for (const channel of channels) channel.close();
  const keysPerSecond = Math.round(keySpace / Math.max(measured.seconds, 0.001));
  return { ...measured, batch, keys: keySpace, keysPerSecond };
}

function transactionFrames(settings: BenchSettings): () => Uint8Array {
  const { keySpace, batch, valueSize } = settings;
  let next = 0;
  return () => {
    const value = randomBytes(valueSize);
    const from = next;
    next = Math.min(next + batch, keySpace);
    const success = Array.from({ length: next - from }, (_, index) => ({
      request: {
        case: 'requestPut' as const,
        value: PutRequest.create({ key: keyOf(settings, from + index), value }),
      },
    }));
    return TxnRequest.encodeFrame(TxnRequest.create({ success }));
  };
}
