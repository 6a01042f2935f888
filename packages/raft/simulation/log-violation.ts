/** Something that a log must never do. The rule is the error's name, by which a shrunk run is known again. */
export class LogViolation extends Error {
  constructor(rule: string, message: string) {
    super(message);
    this.name = rule;
  }
}
