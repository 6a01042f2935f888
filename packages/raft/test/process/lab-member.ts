// One member of the process lab: a replica of a journal, driven by its parent over the channel of `fork`.
import { isFlotillaError } from '@flotilla/platform';
import { Replica } from '@flotilla/raft/node';
import { Journal, encodeValue } from './journal.ts';
import type { LabCall, LabMemberOptions, LabQuestion, LabReply, LabStatus } from './lab-protocol.ts';

const options = JSON.parse(process.argv[2] ?? '') as LabMemberOptions;
const journal = new Journal();
const replica = await Replica.open({
  id: options.id,
  dataDir: options.directory,
  peers: options.peers,
  listen: options.listen,
  stateMachine: journal,
  snapshotEvery: options.snapshotEvery,
  // The labs allow ten heartbeats a second.
  config: { heartbeatMs: 100, electionMs: 1000 },
});

process.on('message', ({ call, question }: LabCall) => {
  answer(question).then(
    (reply) => send({ call, answer: reply, code: null }),
    (error: unknown) => {
      const code = isFlotillaError(error) ? error.code : String(error);
      send({ call, answer: null, code });
    },
  );
});
// The parent is gone: nobody will ask again, and nobody else would end this process.
process.on('disconnect', () => process.exit(1));
send({ call: 0, answer: 'open', code: null });

async function answer(question: LabQuestion): Promise<unknown> {
  switch (question.type) {
    case 'propose':
      return await replica.propose(encodeValue(question.value), { timeoutMs: question.timeoutMs });
    case 'read':
      return await replica.read(() => journal.state.values.length, { timeoutMs: question.timeoutMs });
    case 'state':
      return journal.state;
    case 'status':
      return status();
  }
}

function status(): LabStatus {
  const { role, term, leader, lastIndex } = replica.status();
  return { role, term, leader, lastIndex };
}

function send(reply: LabReply): void {
  process.send?.(reply);
}
