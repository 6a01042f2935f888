/** What a {@link DeadlineHeap} orders. One object is in one heap at a time. */
export interface Due {
  atMs: number;
  /** The heap's own: where the deadline is in it; −1: nowhere. */
  position: number;
}

/** The earliest of many deadlines, any of which may move: a binary heap whose members know their places. */
export class DeadlineHeap<Member extends Due> {
  #members: Member[] = [];

  get size(): number {
    return this.#members.length;
  }

  get first(): Member | null {
    return this.#members[0] ?? null;
  }

  /** Puts it in, or in another place when it is in and its time has changed. */
  place(member: Member): void {
    if (member.position < 0) {
      member.position = this.#members.length;
      this.#members.push(member);
    }
    this.#rise(member);
    this.#sink(member);
  }

  /** Does nothing when it is not in. */
  remove(member: Member): void {
    const { position } = member;
    if (position < 0) return;
    member.position = -1;
    const last = this.#members.pop() as Member;
    if (last === member) return;
    this.#set(position, last);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(member: Member): void {
    while (member.position > 0) {
      const parent = (member.position - 1) >> 1;
      const above = this.#members[parent] as Member;
      if (above.atMs <= member.atMs) return;
      this.#set(member.position, above);
      this.#set(parent, member);
    }
  }

  #sink(member: Member): void {
    for (;;) {
      const left = 2 * member.position + 1;
      const leftBelow = this.#members[left];
      if (leftBelow === undefined) return;
      const rightBelow = this.#members[left + 1];
      const below = rightBelow !== undefined && rightBelow.atMs < leftBelow.atMs ? rightBelow : leftBelow;
      if (below.atMs >= member.atMs) return;
      const { position } = member;
      this.#set(below.position, member);
      this.#set(position, below);
    }
  }

  #set(position: number, member: Member): void {
    this.#members[position] = member;
    member.position = position;
  }
}
