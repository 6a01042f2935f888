/** A message of Maelstrom's protocol, which stands alone in its line. */
export interface Message {
  readonly src: string;
  readonly dest: string;
  readonly body: MessageBody;
}

export interface MessageBody {
  readonly type: string;
  readonly msg_id?: number;
  readonly in_reply_to?: number;
  readonly [field: string]: unknown;
}

/** The message in a line, or why there is none that could be answered. */
export function parseMessage(line: string): Message | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'it is no JSON';
  }
  if (!isObject(value)) return 'it is no object';
  const { src, dest, body } = value;
  if (typeof src !== 'string' || typeof dest !== 'string') return 'it has no src, or no dest';
  if (!isObject(body)) return 'it has no body';
  const { type, msg_id: id, in_reply_to: reply } = body;
  if (typeof type !== 'string') return 'its body has no type';
  if (!isIdOrAbsent(id) || !isIdOrAbsent(reply)) return 'its msg_id or in_reply_to is no integer';
  return { src, dest, body: body as MessageBody };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isIdOrAbsent(value: unknown): boolean {
  return value === undefined || Number.isSafeInteger(value);
}
