import { emptyConfiguration } from '../../src/core/configuration.ts';
import { changeSimply, enterJoint, leaveJoint } from '../../src/core/membership.ts';
import type { ChangeProblem, ChangeResult } from '../../src/core/membership.ts';
import { membersOf } from '../../src/core/quorum.ts';
import type { Configuration, Index, MembershipStep, NodeId } from '../../src/core/types.ts';
import { describeConfiguration, describeProgress } from './describe.ts';
import { parseSteps } from './membership-text.ts';
import type { Directive } from './script-file.ts';

const problems: Readonly<Record<ChangeProblem, string>> = {
  'already-joint': 'config is already joint',
  'not-joint': "can't leave a non-joint config",
  'no-voters': "can't make a zero-voter config joint",
  'removes-all-voters': 'removed all voters',
  'several-voters-change': 'more than one voter changed without entering joint config',
};

/** Runs `simple`, `enter-joint` and `leave-joint` of one script: each continues from what the last one left. */
export class ConfchangeScript {
  #configuration: Configuration = emptyConfiguration;
  /** Where a leader would begin to send to each member: after what its log had when the member came. */
  #next = new Map<NodeId, number>();
  #commands = 0;

  run(directive: Directive): string {
    const steps = parseSteps(directive.input);
    const result = this.#change(directive, steps);
    const lastIndex = this.#commands;
    this.#commands += 1;
    if (!result.ok) {
      const simply = directive.command === 'simple' && result.problem === 'already-joint';
      return simply ? "can't apply simple config change in joint config" : problems[result.problem];
    }
    this.#follow(steps, result.configuration, Math.max(lastIndex, 1));
    return this.#describe();
  }

  #change(directive: Directive, steps: readonly MembershipStep[]): ChangeResult {
    switch (directive.command) {
      case 'simple':
        return changeSimply(this.#configuration, steps);
      case 'enter-joint': {
        const autoLeave = directive.arguments.some(
          ({ key, values }) => key === 'autoleave' && values[0] === 'true',
        );
        return enterJoint(this.#configuration, steps, autoLeave);
      }
      case 'leave-joint':
        return leaveJoint(this.#configuration);
      default:
        throw new Error(`unknown command ${directive.command}`);
    }
  }

  /** Who is removed and comes back, even at once, begins anew; whoever a half still has as a voter stays known. */
  #follow(steps: readonly MembershipStep[], after: Configuration, next: number): void {
    for (const { operation, id } of steps) {
      if (id === 0 || operation === 'update') continue;
      if (operation === 'remove') {
        if (!after.votersOutgoing.includes(id)) this.#next.delete(id);
      } else if (!this.#next.has(id)) {
        this.#next.set(id, next);
      }
    }
    const members = new Set(membersOf(after));
    for (const id of this.#next.keys()) if (!members.has(id)) this.#next.delete(id);
    this.#configuration = after;
  }

  #describe(): string {
    const lines = membersOf(this.#configuration).map((id) => {
      const progress = describeProgress({
        state: 'probe',
        match: 0 as Index,
        next: (this.#next.get(id) ?? 0) as Index,
        learner: this.#configuration.learners.includes(id),
        paused: false,
        pendingSnapshot: 0 as Index,
        active: true,
        inflight: 0,
        windowFull: false,
      });
      return `${id}: ${progress}`;
    });
    return [describeConfiguration(this.#configuration), ...lines].join('\n');
  }
}
