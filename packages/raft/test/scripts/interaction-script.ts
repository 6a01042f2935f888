import { encodeMembershipChange } from '../../src/core/membership-codec.ts';
import type { Index, MembershipChange, NodeId } from '../../src/core/types.ts';
import { describeProgress, describeRole } from './describe.ts';
import { isVoter } from '../../src/core/quorum.ts';
import { parseSteps } from './membership-text.ts';
import { nodeOptions } from './node-options.ts';
import { ScriptCluster } from './script-cluster.ts';
import type { Recipient } from './script-cluster.ts';
import type { Directive } from './script-file.ts';
import { ScriptNode } from './script-node.ts';
import { ScriptOutput } from './script-output.ts';
import { describeEntries } from './script-ready.ts';
import { changeContext } from './script-translation.ts';

type Command = (directive: Directive) => void;

/** Runs the scripts about members that talk to each other. Knows every command of etcd-io/raft's harness. */
export class InteractionScript {
  readonly #output = new ScriptOutput();
  readonly #cluster = new ScriptCluster(this.#output);

  readonly #commands: Readonly<Record<string, Command>> = {
    _breakpoint: () => {},
    'add-nodes': (directive) => this.#addNodes(directive),
    campaign: (directive) => void this.#node(directive).step({ type: 'campaign' }),
    compact: (directive) => this.#compact(directive),
    'deliver-msgs': (directive) => this.#deliver(directive),
    'forget-leader': (directive) => this.#forgetLeader(directive),
    'log-level': (directive) => this.#output.setLevel(directive.arguments[0]?.key ?? ''),
    'process-append-thread': (directive) =>
      this.#each(directive, 'processing append thread', (id) => this.#cluster.processAppendThread(id)),
    'process-apply-thread': (directive) =>
      this.#each(directive, 'processing apply thread', (id) => this.#cluster.processApplyThread(id)),
    'process-ready': (directive) =>
      this.#each(directive, 'handling Ready', (id) => this.#cluster.processReady(id)),
    propose: (directive) => this.#propose(directive),
    'propose-conf-change': (directive) => this.#proposeConfChange(directive),
    'raft-log': (directive) => this.#printLog(this.#node(directive)),
    'raft-state': () => this.#printState(),
    'report-unreachable': (directive) => this.#reportUnreachable(directive),
    'send-snapshot': (directive) => this.#sendSnapshot(directive),
    'set-randomized-election-timeout': (directive) => this.#setElectionTimeout(directive),
    stabilize: (directive) => this.#stabilize(directive),
    status: (directive) => this.#printStatus(directive),
    'tick-election': (directive) => this.#tick(directive, this.#node(directive).state.config.electionTicks),
    'tick-heartbeat': (directive) => this.#tick(directive, this.#node(directive).state.config.heartbeatTicks),
    'transfer-leadership': (directive) => this.#transfer(directive),
  };

  run(directive: Directive): string {
    try {
      const command = this.#commands[directive.command];
      if (command === undefined) throw new Error(`unknown command ${directive.command}`);
      command(directive);
    } catch (error) {
      // Errors are printed at every level.
      const printed = this.#output.quiet ? '' : this.#output.take();
      return printed + (error instanceof Error ? error.message : String(error));
    }
    return this.#output.take().replace(/\n$/u, '') || 'ok';
  }

  #addNodes(directive: Directive): void {
    const { nodes } = this.#cluster;
    const count = Number(directive.arguments[0]?.key);
    for (let at = 0; at < count; at += 1) {
      nodes.push(new ScriptNode(nodeOptions(directive, nodes.length + 1)));
    }
  }

  #compact(directive: Directive): void {
    const node = this.#node(directive);
    node.compact(Number(directive.arguments[1]?.key) as Index);
    this.#printLog(node);
  }

  #deliver(directive: Directive): void {
    const recipients: Recipient[] = [];
    for (const { key, values } of directive.arguments) {
      if (values.length === 0) recipients.push({ id: Number(key), drop: false });
      if (key === 'drop') recipients.push(...values.map((value) => ({ id: Number(value), drop: true })));
    }
    const count = this.#cluster.deliver(recipients, valuesOf(directive, 'type')[0] ?? null);
    if (count === 0) this.#output.line('no messages');
  }

  /** A lease of reads rests on followers that know their leader: the host refuses to let one forget it then. */
  #forgetLeader(directive: Directive): void {
    const node = this.#node(directive);
    if (!node.options.leaseBasedReads) node.step({ type: 'forget-leader' });
  }

  /** With several members each has a heading, and its lines are indented. */
  #each(directive: Directive, heading: string, work: (id: number) => void): void {
    const ids = idsOf(directive);
    for (const id of ids) {
      if (ids.length === 1) {
        work(id);
        continue;
      }
      this.#output.line(`> ${id} ${heading}`);
      this.#output.indented(() => work(id));
    }
  }

  #propose(directive: Directive): void {
    const payload = new TextEncoder().encode(directive.arguments[1]?.key ?? '');
    requireTaken(this.#node(directive).propose('command', payload));
  }

  #proposeConfChange(directive: Directive): void {
    const steps = parseSteps(directive.input);
    const older = valuesOf(directive, 'v1')[0] === 'true';
    const transition = valuesOf(directive, 'transition')[0] ?? 'auto';
    if (transition !== 'auto' && transition !== 'implicit' && transition !== 'explicit') {
      throw new Error(`unknown transition ${transition}`);
    }
    if (older && (steps.length !== 1 || transition !== 'auto')) {
      throw new Error('v1 conf change can only have one operation and no transition');
    }
    const change: MembershipChange = { steps, transition, context: changeContext(older) };
    requireTaken(this.#node(directive).propose('membership', encodeMembershipChange(change)));
  }

  #printLog({ storage }: ScriptNode): void {
    const { entries, firstIndex, lastIndex } = storage;
    if (entries.length === 0) {
      this.#output.write(`log is empty: first index=${firstIndex}, last index=${lastIndex}`);
    }
    for (const line of describeEntries(entries)) this.#output.line(line);
  }

  #printState(): void {
    for (const { id, state } of this.#cluster.nodes) {
      const voter = isVoter(state.configuration, id) ? '(Voter)' : '(Non-Voter)';
      this.#output.line(
        `${id}: ${describeRole(state.role)} ${voter} Term:${state.term} Lead:${state.leader}`,
      );
    }
  }

  #printStatus(directive: Directive): void {
    for (const [id, progress] of this.#node(directive).state.progress) {
      this.#output.line(`${id}: ${describeProgress(progress)}`);
    }
  }

  #reportUnreachable(directive: Directive): void {
    const [on, peer] = idsOf(directive);
    if (on === undefined || peer === undefined) throw new Error('must specify exactly two node indexes');
    this.#cluster.node(on).step({ type: 'unreachable', peer: peer as NodeId });
  }

  #sendSnapshot(directive: Directive): void {
    const [from, to] = idsOf(directive);
    if (from === undefined || to === undefined) throw new Error('must specify exactly two node indexes');
    this.#cluster.sendSnapshot(from, to);
  }

  #setElectionTimeout(directive: Directive): void {
    this.#node(directive).state.electionTimeout = Number(valuesOf(directive, 'timeout')[0]);
  }

  #stabilize(directive: Directive): void {
    const { level } = this.#output;
    const during = valuesOf(directive, 'log-level')[0];
    if (during !== undefined) this.#output.setLevel(during);
    try {
      this.#cluster.stabilize(idsOf(directive));
    } finally {
      this.#output.level = level;
    }
  }

  #tick(directive: Directive, ticks: number): void {
    for (let at = 0; at < ticks; at += 1) this.#node(directive).step({ type: 'tick' });
  }

  #transfer(directive: Directive): void {
    const from = Number(valuesOf(directive, 'from')[0]);
    const to = Number(valuesOf(directive, 'to')[0]) as NodeId;
    this.#cluster.node(from).step({ type: 'transfer', to });
  }

  #node(directive: Directive): ScriptNode {
    return this.#cluster.node(Number(directive.arguments[0]?.key));
  }
}

function requireTaken(problem: string | null): void {
  if (problem !== null) throw new Error(problem);
}

function idsOf(directive: Directive): readonly number[] {
  return directive.arguments.filter(({ values }) => values.length === 0).map(({ key }) => Number(key));
}

function valuesOf(directive: Directive, key: string): readonly string[] {
  return directive.arguments.find((argument) => argument.key === key)?.values ?? [];
}
