import { fair, MemberProxy, type Ways, type Weather } from '../../../raft/test/process/member-proxy.ts';
import {
  channelHeaderBytes,
  channelPreface,
  decodeGreeting,
  greetingBytes,
} from '../../src/peer/channel-frame.ts';

/** The courses' «unreliable», between members: 10 % of the messages of each direction lost, and up to 26 ms late. */
export const unreliableWeather: Weather = { ...fair, lossPerMille: 100, delayMs: 26 };

/** A proxy before each member, so that a test can split the members and spoil what they send each other. */
export class PeerLinks implements Ways {
  weather: Weather = fair;
  readonly #proxies: MemberProxy[] = [];
  /** Numbers of the members, from 1, that are in the other part. */
  #part: ReadonlySet<number> = new Set();
  /** Of whom, to whom: nothing arrives. */
  #silent: readonly (readonly [from: number, to: number])[] = [];

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

  /** What members with the indexes `from` say does not arrive at `to`, though it does the other way. None: everything does. */
  silence(from: readonly number[], to: readonly number[]): void {
    this.#silent = from.flatMap((one) => to.map((other) => [one + 1, other + 1] as const));
    for (const proxy of this.#proxies) proxy.mend();
  }

  isUp(from: number, to: number): boolean {
    return this.#part.has(from) === this.#part.has(to);
  }

  isSilent(from: number, to: number): boolean {
    return this.#silent.some(([one, other]) => one === from && other === to);
  }

  /** Of channels; who calls does not say who it is. */
  dialerOf(first: Uint8Array): number | null {
    const preface = first.subarray(0, channelPreface.length);
    if (preface.some((byte, at) => byte !== channelPreface[at])) return 0;
    const greeting = first.subarray(channelPreface.length + channelHeaderBytes);
    return greeting.length < greetingBytes ? null : decodeGreeting(greeting).from;
  }

  takesQuestions(to: number): boolean {
    return this.#proxies.every((_, index) => this.isUp(index + 1, to));
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }
}
