/** Which of the records of one kind have to be written again. */
export class ChangedParts<Id> {
  #ids = new Set<Id>();

  add(id: Id): void {
    this.#ids.add(id);
  }

  /** Once. */
  take(): ReadonlySet<Id> {
    const ids = this.#ids;
    if (ids.size > 0) this.#ids = new Set();
    return ids;
  }
}
