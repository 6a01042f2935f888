import { fair, MemberProxy, type Ways, type Weather } from '../../../raft/test/process/member-proxy.ts';

/** The courses' «unreliable», between members: 10 % of the messages of each direction lost, and up to 26 ms late. */
export const unreliableWeather: Weather = { ...fair, lossPerMille: 100, delayMs: 26 };

/** A proxy before each member, so that a test can split the members and spoil what they send each other. */
export class PeerLinks implements Ways {
  weather: Weather = fair;
  readonly #proxies: MemberProxy[] = [];
  /** Numbers of the members, from 1, that are in the other part. */
  #part: ReadonlySet<number> = new Set();

  /** `memberPorts`: where the members listen for each other; the port after each is the one that the others know. */
  static async open(memberPorts: readonly number[]): Promise<PeerLinks> {
    const links = new PeerLinks();
    for (const [index, port] of memberPorts.entries()) {
      links.#proxies.push(await MemberProxy.open(port + 1, index + 1, port, links));
    }
    return links;
  }

  /** By which the others know the member. */
  portOf(index: number): number {
    return (this.#proxies[index] as MemberProxy).port;
  }

  /** Members with these indexes hear each other, and the others each other. None: everybody hears everybody. */
  partition(indexes: readonly number[]): void {
    this.#part = new Set(indexes.map((index) => index + 1));
    for (const proxy of this.#proxies) proxy.reset();
  }

  isUp(from: number, to: number): boolean {
    return this.#part.has(from) === this.#part.has(to);
  }

  isSilent(): boolean {
    return false;
  }

  takesQuestions(to: number): boolean {
    return this.#proxies.every((_, index) => this.isUp(index + 1, to));
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }
}
