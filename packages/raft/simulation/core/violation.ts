/** An invariant of SPEC.md was broken. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, message: string) {
    super(message);
    this.name = 'Violation';
    this.invariant = invariant;
  }
}

/** For scripts: raises a violation where a claim does not hold. */
export function expect(invariant: string, fine: boolean, message: string): void {
  if (!fine) throw new Violation(invariant, message);
}
