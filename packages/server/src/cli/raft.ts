import { createInterface } from 'node:readline/promises';
import { FlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { Recovery, replicaFirstConfiguration } from '@flotilla/raft';
import type { RecoveryFindings, RecoveryOptions, RecoveryPlan, StateOnDisk } from '@flotilla/raft';
import { storageTables, storedPositions } from '@flotilla/store';
import { openLmdb } from '@flotilla/store/lmdb';
import { firstConfiguration } from '../member/data-directory.ts';
import { stderrLogger } from './logger.ts';
import { subcommand } from './subcommand.ts';

/**
 * `flotilla raft recover`: makes a group of what is left of it when a majority of its voters is lost for ever. Works on
 * the data of Flotilla's own members and of programs that embed `Replica`, while no process holds it.
 */
export async function run(args: readonly string[]): Promise<number> {
  const command = subcommand('raft', 'mend the Raft data of a member that does not run')
    .argument('<operation>', 'recover: go on without a majority that is lost for ever')
    .requiredOption('--data-dir <directory>', 'of the member to go on from')
    .option('--group <number>', 'which group of the log', '0')
    .requiredOption(
      '--voters <list>',
      'who votes from now on, by ids separated by commas; this member among them',
    )
    .option('--yes-i-may-lose-data', 'do not ask', false);
  command.parse(args, { from: 'user' });
  if (command.args[0] !== 'recover') {
    throw new FlotillaError('FLOTILLA_USAGE', `raft can recover, not ${JSON.stringify(command.args[0])}`);
  }
  const options = command.opts<{
    readonly dataDir: string;
    readonly group: string;
    readonly voters: string;
    readonly yesIMayLoseData: boolean;
  }>();
  const voters = options.voters.split(',').map((text) => wholeNumber('--voters', text));
  const group = wholeNumber('--group', options.group);
  await recover(options.dataDir, group, voters, options.yesIMayLoseData);
  return 0;
}

async function recover(
  dataDir: string,
  group: number,
  voters: readonly number[],
  confirmed: boolean,
): Promise<void> {
  const logger = stderrLogger('recovery', 'error');
  const platform = nodePlatform({
    nodeName: 'recovery',
    logger,
    onFatal: (error) => {
      throw error;
    },
  });
  const recovery = await Recovery.open({ platform, dataDir, group, ...(await ownerOf(platform, dataDir)) });
  try {
    const { findings } = recovery;
    process.stdout.write(`${describeFindings(findings, dataDir)}\n`);
    const plan = recovery.plan(voters);
    process.stdout.write(`${describePlan(findings, plan)}\n`);
    if (!confirmed) await askToGoOn(plan);
    const backup = await recovery.force(plan);
    process.stdout.write(`${describeResult(plan, backup)}\n`);
  } finally {
    await recovery.close();
  }
}

/** Whose data it is: a member's of Flotilla, with its state in LMDB, or a replica's, with snapshot files. */
async function ownerOf(
  platform: Platform,
  dataDir: string,
): Promise<Pick<RecoveryOptions, 'initialConfiguration' | 'readState'>> {
  const ofMember = await firstConfiguration(platform, dataDir);
  if (ofMember !== null) {
    return { initialConfiguration: ofMember, readState: () => stateOfMember(`${dataDir}/state`) };
  }
  const ofReplica = await replicaFirstConfiguration(platform, dataDir);
  if (ofReplica !== null) return { initialConfiguration: ofReplica };
  throw new FlotillaError(
    'FLOTILLA_RECOVERY_IMPOSSIBLE',
    `${dataDir} is no data directory: neither cluster.json nor replica.json is there`,
  );
}

async function stateOfMember(directory: string): Promise<StateOnDisk> {
  const storage = openLmdb(directory, storageTables);
  try {
    return storedPositions(storage);
  } finally {
    await storage.close();
  }
}

function describeFindings(findings: RecoveryFindings, dataDir: string): string {
  const { nodeId, group, commitIndex, lastIndex, lastTerm, compactedIndex, configuration } = findings;
  const { voters, votersOutgoing, learners } = configuration;
  const lines = [
    `group ${group} in ${dataDir}, the data of member ${nodeId}`,
    `  last entry          index ${lastIndex} of term ${lastTerm}`,
    `  known as committed  up to ${commitIndex}`,
    `  log begins after    ${compactedIndex}`,
    `  voters              ${voters.join(', ')}`,
  ];
  if (votersOutgoing.length > 0) lines.push(`  and, jointly        ${votersOutgoing.join(', ')}`);
  if (learners.length > 0) lines.push(`  learners            ${learners.join(', ')}`);
  return `${lines.join('\n')}\n`;
}

function describePlan(findings: RecoveryFindings, plan: RecoveryPlan): string {
  const { nodeId, commitIndex, lastIndex, lastTerm } = findings;
  const others = plan.voters.filter((id) => id !== nodeId);
  const unproven = lastIndex - commitIndex;
  const lines = [
    'WARNING: this is the last resort. It may lose data that was acknowledged.',
    `  - Members ${plan.removed.join(', ') || 'none'} are removed for ever. If one of them still runs somewhere, stop it NOW`,
    '    and never start it again: with another one of them it can be a second group of the same name.',
    `  - What they had and this member lacks is LOST: every entry after ${lastIndex} of term ${lastTerm}, even if it was`,
    '    committed and acknowledged to a client. Nobody can tell from here whether there were any.',
    unproven === 0
      ? '  - All entries here are known to be committed.'
      : `  - ${unproven} entries after ${commitIndex} are not known to be committed. They become so: a client may have been told that they failed.`,
  ];
  if (others.length > 0) {
    lines.push(
      `  - Members ${others.join(', ')} follow this one, and lose what they have beyond it. Run this command on the member with`,
      '    the highest last term and, among equals, the highest last index; on that one ONLY.',
    );
  }
  if (plan.promoted.length > 0) lines.push(`  - Learners ${plan.promoted.join(', ')} vote from now on.`);
  lines.push(
    `  Entries ${plan.firstIndex} to ${plan.lastIndex} of term ${plan.term} will say so; the log is copied first.`,
  );
  return `${lines.join('\n')}\n`;
}

function describeResult(plan: RecoveryPlan, backup: string): string {
  return [
    `done: voters are ${plan.voters.join(', ')}. The log as it was is in ${backup}`,
    'Start this member first, then the other voters, then add new members under new ids.',
  ].join('\n');
}

/** What has to be typed says what is done: nobody types it by habit. */
async function askToGoOn(plan: RecoveryPlan): Promise<void> {
  const phrase = `remove ${plan.removed.join(' ')} and lose what they had`;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const ended = new Promise<string>((resolve) => {
      lines.once('close', () => resolve(''));
    });
    const answer = await Promise.race([lines.question(`Type "${phrase}" to go on: `), ended]);
    if (answer.trim() === phrase) return;
  } finally {
    lines.close();
  }
  throw new FlotillaError('FLOTILLA_RECOVERY_REFUSED', 'not confirmed: nothing was changed');
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new FlotillaError('FLOTILLA_USAGE', `${option} ${JSON.stringify(text)}: must be a whole number`);
}
