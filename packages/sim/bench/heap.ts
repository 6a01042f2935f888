import { EventHeap, TraceHash, generatedTape } from '@flotilla/sim';

/** What the simulator's own parts cost per event: pop, hash, two draws, push; with 64 and with 4,096 events waiting. */
for (const waiting of [64, 4096]) {
  const tape = generatedTape(1);
  const heap = new EventHeap<object>();
  const hash = new TraceHash();
  for (let i = 0; i < waiting; i += 1) heap.push(tape.choose(1000, 'delay'), {});
  const events = 2_000_000;
  const start = performance.now();
  for (let i = 0; i < events; i += 1) {
    const time = heap.nextTime;
    const event = heap.pop();
    hash.add(time);
    tape.chance(1, 100, 'fault');
    heap.push(time + tape.choose(1000, 'delay'), event);
  }
  const seconds = (performance.now() - start) / 1000;
  console.log(
    JSON.stringify({ waiting, eventsPerSecond: Math.round(events / seconds), hash: hash.toString() }),
  );
}
