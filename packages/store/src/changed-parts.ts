/** Which of the records of one kind have to be written again. */
export class ChangedParts<Id> {
  /** Null: nothing has changed, as it is with most of what there is. */
  #ids: Set<Id> | null = null;

  add(id: Id): void {
    this.#ids ??= new Set();
    this.#ids.add(id);
  }

  /** Once. */
  take(): ReadonlySet<Id> {
    const ids = this.#ids ?? nothing;
    this.#ids = null;
    return ids;
  }
}

const nothing: ReadonlySet<never> = new Set();
