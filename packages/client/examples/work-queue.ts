/* oxlint-disable no-console */
// Workers take jobs in order. What a worker writes is refused once its lock is lost, however late it notices.
import { connect, op } from '@flotilla/client';

const endpoints = process.env['ENDPOINTS'] ?? 'http://127.0.0.1:2379';
const jobs = 'example/jobs/';

async function worker(name: string): Promise<number> {
  await using client = connect(endpoints);
  for (let done = 0; ;) {
    await using lock = await client.lock('example/queue', { ttlSeconds: 10 });
    const { entries } = await client.range({ prefix: jobs }, { limit: 1 });
    const [job] = entries;
    if (job === undefined) return done;
    const result = `${job.text} done by ${name} under ${lock.revision}`;
    const finished = client
      .if(lock.isHeld)
      .do(op.delete(job.key), op.put(`example/results/${job.text}`, result));
    if ((await finished.commit()).succeeded) done += 1;
  }
}

await using client = connect(endpoints);
for (let i = 0; i < 6; i += 1) await client.put(`${jobs}${i}`, `job ${i}`);
const counts = await Promise.all([worker('ann'), worker('bob')]);
console.log(`${counts.reduce((sum, count) => sum + count)} jobs done`);
console.log(`${await client.count({ prefix: 'example/results/' })} results`);
await client.delete({ prefix: 'example/results/' });
