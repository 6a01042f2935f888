import type { NodeId } from '../../src/core/types.ts';
import { describeMessage } from './describe.ts';
import { isLocal, scriptMessage } from './script-message.ts';
import type { ScriptMessage } from './script-message.ts';
import type { ScriptNode } from './script-node.ts';
import type { ScriptOutput } from './script-output.ts';
import { describeReady } from './script-ready.ts';

export interface Recipient {
  readonly id: number;
  readonly drop: boolean;
}

/** The members of a script and the messages between them, in the order in which they were sent. */
export class ScriptCluster {
  readonly nodes: ScriptNode[] = [];
  readonly output: ScriptOutput;
  #messages: ScriptMessage[] = [];

  constructor(output: ScriptOutput) {
    this.output = output;
  }

  node(id: number): ScriptNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new Error(`there is no member ${id}`);
    return node;
  }

  processReady(id: number): void {
    this.node(id).processReady(
      (message) => this.#messages.push(message),
      (ready) => this.output.write(describeReady(ready)),
    );
  }

  processAppendThread(id: number): void {
    this.#processed(this.node(id).processAppendThread(), 'no append work to perform');
  }

  processApplyThread(id: number): void {
    this.#processed(this.node(id).processApplyThread(), 'no apply work to perform');
  }

  #processed(message: ScriptMessage | null, nothing: string): void {
    if (message === null) {
      this.output.write(nothing);
      return;
    }
    this.output.line('Processing:');
    this.output.line(describeMessage({ ...message, responses: [] }));
    this.output.line('Responses:');
    for (const response of message.responses) this.output.line(describeMessage(response));
    this.#messages.push(...message.responses);
  }

  /** Delivers, or drops, what is on its way to these members. Gives how many messages that were. */
  deliver(recipients: readonly Recipient[], type: string | null = null): number {
    let count = 0;
    for (const { id, drop } of recipients) {
      const chosen = this.#messagesTo(id, type, drop);
      this.#messages = this.#messages.filter((message) => !chosen.includes(message));
      count += chosen.length;
      for (const message of chosen) this.#deliverOne(message, drop);
    }
    return count;
  }

  #deliverOne(message: ScriptMessage, drop: boolean): void {
    this.output.line(`${drop ? 'dropped: ' : ''}${describeMessage(message)}`);
    // One may drop what goes to a member that does not exist yet.
    if (drop) return;
    const problem = this.node(message.to as number).deliver(message);
    if (problem !== null) this.output.line(problem);
  }

  #messagesTo(id: number, type: string | null, drop: boolean): readonly ScriptMessage[] {
    return this.#messages.filter(
      (message) =>
        message.to === id && !(drop && isLocal(message)) && (type === null || message.type === type),
    );
  }

  /** Handles everything that these members have to do, until nothing is left: always in the same order. */
  stabilize(ids: readonly number[]): void {
    const chosen = ids.length > 0 ? ids : this.nodes.map(({ id }) => id as number);
    for (let working = true; working;) {
      working = false;
      for (const id of chosen) if (this.#readyRound(id)) working = true;
      for (const id of chosen) if (this.#deliverRound(id)) working = true;
      for (const id of chosen) if (this.#appendRound(id)) working = true;
      for (const id of chosen) if (this.#applyRound(id)) working = true;
    }
  }

  #readyRound(id: number): boolean {
    if (!this.node(id).hasReady) return false;
    this.output.line(`> ${id} handling Ready`);
    this.output.indented(() => this.processReady(id));
    return true;
  }

  #deliverRound(id: number): boolean {
    if (this.#messagesTo(id, null, false).length === 0) return false;
    this.output.line(`> ${id} receiving messages`);
    this.output.indented(() => this.deliver([{ id, drop: false }]));
    return true;
  }

  #appendRound(id: number): boolean {
    const node = this.node(id);
    if (node.appendWork.length === 0) return false;
    this.output.line(`> ${id} processing append thread`);
    while (node.appendWork.length > 0) this.output.indented(() => this.processAppendThread(id));
    return true;
  }

  #applyRound(id: number): boolean {
    const node = this.node(id);
    if (node.applyWork.length === 0) return false;
    this.output.line(`> ${id} processing apply thread`);
    while (node.applyWork.length > 0) this.output.indented(() => this.processApplyThread(id));
    return true;
  }

  /** Sends the newest snapshot by hand: the leader's core knows nothing of it. */
  sendSnapshot(from: number, to: number): void {
    const { state, snapshot } = this.node(from);
    const session = state.progress.get(to as NodeId)?.session ?? 0;
    const { id, term } = state;
    const message = {
      type: 'install-snapshot',
      from: id,
      to: to as NodeId,
      term,
      session,
      snapshot,
    } as const;
    const sent = scriptMessage({
      from,
      to,
      type: 'MsgSnap',
      term,
      snapshot,
      delivery: { type: 'peer', message },
    });
    this.#messages.push(sent);
    this.output.write(describeMessage(sent));
  }
}
