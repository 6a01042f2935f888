const RealDate = Date;

/** `Date` with another clock. A date from parts is a pure computation and stays as it is. */
export function dateWith(wallClock: () => number): DateConstructor {
  const now = (): number => wallClock();
  const own: DateConstructor = new Proxy(RealDate, {
    construct(target, values: unknown[], newTarget): object {
      const parts = values.length === 0 ? [now()] : values;
      return Reflect.construct(target, parts, newTarget === own ? target : newTarget) as object;
    },
    apply: () => new RealDate(now()).toString(),
    get: (target, key, receiver): unknown => (key === 'now' ? now : Reflect.get(target, key, receiver)),
  });
  return own;
}
