import type { Trace } from '../trace/trace.ts';

/** A cell of a packed row. */
type Cell = number | string | boolean | null;

/** The trace as rows of numbers and a table of texts: thousands of messages say the same few things. */
export function packTrace(trace: Trace): Readonly<Record<string, unknown>> {
  const texts = new Table();
  const nodes = lanesOf(trace);
  const laneOf = new Map(nodes.map((name, lane) => [name, lane]));
  const lane = (name: string): number => laneOf.get(name) ?? 0;
  const text = (words: string | null): Cell => (words === null ? null : texts.id(words));
  const packed = {
    nodes,
    endMs: milliseconds(Math.max(trace.endMs, trace.violation?.timeMs ?? 0)),
    lives: trace.lives.map((life) => [
      lane(life.node),
      life.number,
      milliseconds(life.fromMs),
      orNull(life.toMs),
      life.ending,
    ]),
    pauses: trace.pauses.map((pause) => [lane(pause.node), milliseconds(pause.fromMs), orNull(pause.toMs)]),
    cuts: trace.cuts.map((cut) => [lane(cut.from), lane(cut.to), milliseconds(cut.fromMs), orNull(cut.toMs)]),
    messages: trace.messages.map((message) => [
      lane(message.from),
      lane(message.to),
      milliseconds(message.sentMs),
      milliseconds(message.dueMs),
      orNull(message.arrivedMs),
      message.sizeBytes,
      text(message.label),
    ]),
    syncs: trace.syncs.map((sync) => [
      lane(sync.node),
      milliseconds(sync.fromMs),
      orNull(sync.toMs),
      text(sync.what),
      sync.failed ? 1 : 0,
    ]),
    timers: trace.timers.map((timer) => [lane(timer.node), milliseconds(timer.timeMs), text(timer.label)]),
    lines: trace.lines.map((line) => [
      lane(line.node),
      milliseconds(line.timeMs),
      text(line.level),
      text(line.text),
    ]),
    states: trace.states.map((record) => [
      lane(record.node),
      milliseconds(record.timeMs),
      Object.entries(record.state).flatMap(([name, value]) => [texts.id(name), texts.id(String(value))]),
    ]),
    operations: trace.operations.map((operation) => [
      operation.id,
      lane(operation.client),
      milliseconds(operation.calledMs),
      orNull(operation.endedMs),
      operation.outcome,
      text(operation.call),
      text(operation.result),
    ]),
    marks: trace.marks.map((mark) => [milliseconds(mark.timeMs), text(mark.text)]),
    leftOut: trace.leftOut,
  };
  return { ...packed, texts: texts.rows };
}

/** Nodes as they were added, then clients that are no nodes. */
function lanesOf(trace: Trace): readonly string[] {
  return [...new Set([...trace.nodes, ...trace.operations.map(({ client }) => client)])];
}

/** To a microsecond: what happens at one instant must be at one instant on the page, too. */
export function milliseconds(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function orNull(value: number | null): number | null {
  return value === null ? null : milliseconds(value);
}

/** Texts, each once. */
class Table {
  readonly rows: string[] = [];
  readonly #ids = new Map<string, number>();

  id(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.rows.length;
      this.rows.push(text);
      this.#ids.set(text, id);
    }
    return id;
  }
}
