import type { Lab, LabMember } from './lab.ts';

export interface ClientOptions {
  readonly count: number;
  readonly timeoutMs: number;
  readonly thinkMaxMs: number;
  /** Whom a client asks. Default: any member that runs. */
  readonly ask?: (client: number) => LabMember | null;
}

/** Clients that propose one command after the other at any member, forwarded or not; every answer is judged. */
export class Clients {
  readonly #lab: Lab;
  readonly #options: ClientOptions;
  #running = false;
  acknowledged = 0;
  /** Called with the time at which an acknowledged command was proposed. */
  onAcknowledged: ((proposedMs: number) => void) | null = null;

  constructor(lab: Lab, options: ClientOptions) {
    this.#lab = lab;
    this.#options = options;
  }

  start(): void {
    this.#running = true;
    for (let client = 0; client < this.#options.count; client += 1) this.#think(client);
  }

  stop(): void {
    this.#running = false;
  }

  #think(client: number): void {
    const thinkMs = 1 + this.#lab.draw(this.#options.thinkMaxMs, 'think time');
    this.#lab.world.after(thinkMs, () => {
      if (this.#running) this.#operate(client);
    });
  }

  #operate(client: number): void {
    const lab = this.#lab;
    const { running } = lab;
    const { ask } = this.#options;
    const member =
      ask === undefined ? running[lab.draw(Math.max(running.length, 1), 'member to ask')] : ask(client);
    if (member === undefined || member === null || member.group === null || !member.node.running) {
      this.#think(client);
      return;
    }
    const proposedMs = lab.now;
    // The command is proposed in the member's life, which may end before there is an answer.
    let over = false;
    const done = (): void => {
      if (!over) this.#think(client);
      over = true;
    };
    lab.world.after(
      0,
      () => {
        lab.propose(member, lab.nextValue(), this.#options.timeoutMs).then(() => {
          this.acknowledged += 1;
          this.onAcknowledged?.(proposedMs);
          done();
        }, done);
      },
      member.node.life,
    );
    lab.world.after(this.#options.timeoutMs + 200, done);
  }
}
