import { inSeconds } from '../fault-log.ts';
import { limits } from '../limits.ts';
import type { MessageRecord, StateRecord, Trace } from '../trace/trace.ts';

/** One thing that was done to the run, in words. */
export interface StoryStep {
  readonly timeMs: number;
  readonly text: string;
  /** Whom it is about. */
  readonly nodes: readonly string[];
}

/**
 * What was done to a run, in plain words and in time order: its faults, each with where it fell in the life of its
 * node, and, where few enough were late or came more than once, which messages were.
 *
 * @example
 * // at 1.204 s: pause n2 for 0.300 s, after its 2nd sync, when it is leader of term 3
 * // at 1.310 s: deliver «gives its vote in term 4» of n2 to n1 300 ms late
 */
export function storyOf(trace: Trace): readonly StoryStep[] {
  const faults = trace.faults.map(({ timeMs, text }): StoryStep => {
    const nodes = nodesIn(text, trace.nodes);
    const [first] = nodes;
    const where = first === undefined || nodes.length > 1 ? '' : circumstances(trace, first, timeMs);
    return { timeMs, text: where === '' ? text : `${text} (${where})`, nodes };
  });
  return [...faults, ...repeatedDeliveries(trace), ...lateDeliveries(trace), ...splitDeliveries(trace)].sort(
    (a, b) => a.timeMs - b.timeMs,
  );
}

/** The story, a line for each step. */
export function describeStory(story: readonly StoryStep[]): string {
  if (story.length === 0) return 'no faults: the failure needs nothing but the order of events';
  return story.map(({ timeMs, text }) => `at ${inSeconds(timeMs)}: ${text}`).join('\n');
}

function nodesIn(text: string, nodes: readonly string[]): readonly string[] {
  const words = new Set(text.split(/[^\p{L}\p{N}_.-]+/u).map((word) => word.replace(/\.$/, '')));
  return nodes.filter((node) => words.has(node));
}

/** Where in its life a node is: what it is writing or has written, and its part in the protocol. */
function circumstances(trace: Trace, node: string, timeMs: number): string {
  const life = trace.lives.filter((span) => span.node === node && span.fromMs <= timeMs).at(-1);
  if (life === undefined || (life.toMs !== null && life.toMs < timeMs)) return '';
  const syncs = trace.syncs.filter(
    ({ node: own, fromMs }) => own === node && fromMs >= life.fromMs && fromMs <= timeMs,
  );
  const done = syncs.filter(({ toMs }) => toMs !== null && toMs <= timeMs).length;
  const parts: string[] = [];
  if (done < syncs.length) parts.push(`during its ${ordinal(done + 1)} sync`);
  else if (done > 0) parts.push(`after its ${ordinal(done)} sync`);
  if (life.number > 1 && parts.length > 0) parts.push(`of life ${life.number}`);
  const state = trace.states.filter((record) => record.node === node && record.timeMs <= timeMs).at(-1);
  const part = state === undefined || state.timeMs < life.fromMs ? '' : roleOf(state);
  return [parts.join(' '), part].filter((words) => words !== '').join(', ');
}

function roleOf({ state }: StateRecord): string {
  const { role, term } = state;
  if (typeof role !== 'string') return '';
  return typeof term === 'number' ? `${role} in term ${term}` : role;
}

function repeatedDeliveries(trace: Trace): readonly StoryStep[] {
  const repeated = trace.messages.filter(({ again }) => again === true);
  if (repeated.length > limits.toldDeliveriesMax) return [];
  return repeated.map((message) => ({
    timeMs: message.sentMs,
    text: `deliver ${wordsOf(message)} to ${message.to} once more`,
    nodes: [message.from, message.to],
  }));
}

/** A tape of zeros delivers each message after the shortest time: what takes longer is on the tape. */
function lateDeliveries(trace: Trace): readonly StoryStep[] {
  const leastMs = trace.messages.reduce((least, message) => Math.min(least, delayOf(message)), Infinity);
  const late = trace.messages.filter(
    (message) => message.again !== true && delayOf(message) > leastMs * 1.5 + 1,
  );
  // In a stream what comes behind a late message is late because of it.
  const behind = new Map<string, number>();
  const first = late.filter((message) => {
    const key = `${message.from} ${message.to}`;
    const before = behind.get(key) ?? -Infinity;
    behind.set(key, arrivalOf(message));
    return arrivalOf(message) > before && message.sentMs >= before;
  });
  if (first.length > limits.toldDeliveriesMax) return [];
  return first.map((message) => ({
    timeMs: message.sentMs,
    text: `deliver ${wordsOf(message)} to ${message.to} ${Math.round(delayOf(message) - leastMs)} ms late`,
    nodes: [message.from, message.to],
  }));
}

/** A tape of zeros hands over in one piece what was written in one. */
function splitDeliveries(trace: Trace): readonly StoryStep[] {
  const split = trace.messages.filter(({ splitAtBytes }) => splitAtBytes !== null);
  if (split.length > limits.toldDeliveriesMax) return [];
  return split.map((message) => ({
    timeMs: message.sentMs,
    text: `hand ${message.to} the first ${message.splitAtBytes} of ${wordsOf(message)} apart from the rest`,
    nodes: [message.from, message.to],
  }));
}

function arrivalOf({ arrivedMs, dueMs }: MessageRecord): number {
  return arrivedMs ?? dueMs;
}

function delayOf(message: MessageRecord): number {
  return arrivalOf(message) - message.sentMs;
}

function wordsOf({ from, label, sizeBytes }: MessageRecord): string {
  return label === null ? `${sizeBytes} bytes of ${from}` : `«${label}» of ${from}`;
}

function ordinal(number: number): string {
  const endings: Readonly<Record<number, string>> = { 1: 'st', 2: 'nd', 3: 'rd' };
  const teen = number % 100 >= 11 && number % 100 <= 13;
  return `${number}${teen ? 'th' : (endings[number % 10] ?? 'th')}`;
}
