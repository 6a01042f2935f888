/** How the courses' unreliable network treats a call of a client. */
export interface ClientWire {
  /** Out of 1,000: requests that are lost, and answers that are lost after the request was executed. */
  readonly lossPerMille: number;
  readonly delayMaxMs: number;
}

export const reliableWire: ClientWire = { lossPerMille: 0, delayMaxMs: 0 };
export const unreliableWire: ClientWire = { lossPerMille: 100, delayMaxMs: 26 };
