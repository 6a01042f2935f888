import type { FrameFaults } from './frame-faults.ts';
import type { Life } from './life.ts';
import { limits } from './limits.ts';
import type { Link } from './links.ts';
import type { SimConnection } from './sim-connection.ts';
import { SimEvent } from './sim-event.ts';
import type { MessageRecord } from './trace/trace.ts';
import type { World } from './world.ts';

/** Why a connection broke that nobody has reset. */
export const unacknowledged = 'nothing was acknowledged for too long';

/** What travels: bytes, the stream's orderly end, or a reset. */
type Parcel =
  | { readonly kind: 'bytes'; bytes: Uint8Array; dueMs: number; readonly record: MessageRecord | null }
  | { readonly kind: 'end' | 'reset'; dueMs: number };

/**
 * One direction of a connection: in order and without loss, as TCP gives it. Loss on the wire shows as stalls, a cut
 * link as silence and, after a while, as a connection that one end has given up while the other knows nothing.
 */
export class SimPipe {
  readonly world: World;
  readonly link: Link;
  readonly from: SimConnection;
  readonly to: SimConnection;
  /** On which the accepting end listened. */
  readonly #port: number;
  readonly #frames: FrameFaults | null;
  readonly #parcels: Parcel[] = [];
  #head = 0;
  #lastDueMs = 0;
  #scheduled = false;
  #givingUp = false;
  /** Bytes written and not yet taken by the receiver's owner. */
  inFlightBytes = 0;

  constructor(from: SimConnection, to: SimConnection, port: number, frames: FrameFaults | null) {
    this.#port = port;
    this.#frames = frames;
    this.world = from.life.node.world;
    this.from = from;
    this.to = to;
    this.link = this.world.network.links.between(from.life.node, to.life.node);
  }

  send(bytes: Uint8Array): void {
    if (this.#frames === null) this.#sendNow(bytes);
    else for (const part of this.#frames.pass(bytes)) this.#sendNow(part);
  }

  #sendNow(bytes: Uint8Array): void {
    this.inFlightBytes += bytes.length;
    if (this.inFlightBytes > limits.streamInFlightBytesMax) this.#overflow();
    const { settings } = this.world;
    const bytesPerMs = this.link.bytesPerMs || settings.bytesPerMs;
    const transferMs = bytesPerMs === 0 ? 0 : bytes.length / bytesPerMs;
    const dueMs = this.#dueMs() + transferMs;
    this.#push({ kind: 'bytes', bytes, dueMs, record: this.#record(bytes, dueMs) });
  }

  #record(bytes: Uint8Array, dueMs: number): MessageRecord | null {
    const { recorder, network } = this.world;
    if (recorder === null) return null;
    const [from, to] = [this.from.life.node.name, this.to.life.node.name];
    const label = network.labelOf(this.#port, bytes);
    return recorder.sent({ from, to, dueMs, sizeBytes: bytes.length, label });
  }

  #overflow(): void {
    const [from, to] = [this.from.life.node.name, this.to.life.node.name];
    const bytes = `${this.inFlightBytes} bytes from ${from} to ${to} are under way`;
    this.world.violate('unbounded queue', `${bytes}: the writer does not wait until the stream has drained`);
  }

  end(): void {
    for (const part of this.#frames?.flush() ?? []) this.#sendNow(part);
    this.#push({ kind: 'end', dueMs: this.#dueMs() });
  }

  /** Nothing more comes. `keepBytes`: how much of what is under way still arrives before the reset. */
  reset(keepBytes: number): void {
    let kept = 0;
    for (let i = this.#head; i < this.#parcels.length; i += 1) {
      const parcel = this.#parcels[i] as Parcel;
      if (parcel.kind !== 'bytes') continue;
      const room = keepBytes - kept;
      kept += parcel.bytes.length;
      if (room >= parcel.bytes.length) continue;
      parcel.bytes = parcel.bytes.subarray(0, Math.max(room, 0));
      this.#parcels.length = i + 1;
      break;
    }
    this.#push({ kind: 'reset', dueMs: this.#dueMs() });
  }

  /** Whether something that was sent has not arrived. */
  get waiting(): boolean {
    return this.#head < this.#parcels.length;
  }

  /** The link carries again. TCP tries after an interval that has grown with the outage. */
  retry(): void {
    const { settings, tape } = this.world;
    this.#schedule((settings.retransmitMs * tape.choose(8, 'retransmission after an outage')) / 8);
  }

  #push(parcel: Parcel): void {
    this.#parcels.push(parcel);
    if (!this.#scheduled && !this.link.blocked.has(this)) this.#schedule(parcel.dueMs - this.world.now);
  }

  /** When something that is written now arrives: after everything that was written before it. */
  #dueMs(): number {
    this.#lastDueMs = Math.max(this.#lastDueMs, this.world.now + this.world.network.delayMs(this.link));
    return this.#lastDueMs;
  }

  #schedule(delayMs: number): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.world.schedule(Math.max(delayMs, 0), new DeliveryEvent(this.to.life, this));
  }

  /** The next parcel is due. */
  arrive(): void {
    this.#scheduled = false;
    if (this.link.cuts > 0) {
      this.link.blocked.add(this);
      this.world.coverage.count('bytes held by a cut');
      this.#giveUpLater();
      return;
    }
    this.#givingUp = false;
    const parcel = this.#parcels[this.#head];
    if (parcel === undefined) return;
    switch (parcel.kind) {
      case 'bytes':
        this.#deliverBytes(parcel);
        break;
      case 'end':
        this.#shift();
        this.to.receiveEnd();
        break;
      case 'reset':
        this.#shift();
        this.to.receiveReset('the other side has reset it');
        break;
    }
    const next = this.#parcels[this.#head];
    if (next !== undefined) this.#schedule(next.dueMs - this.world.now);
  }

  #deliverBytes(parcel: Parcel & { readonly kind: 'bytes' }): void {
    const { settings, tape, coverage, hash } = this.world;
    let { bytes } = parcel;
    if (bytes.length > 1 && tape.chance(settings.splitPerMille, 1000, 'split a delivery')) {
      const at = 1 + tape.choose(Math.min(bytes.length - 1, 64), 'split after bytes');
      parcel.bytes = bytes.subarray(at);
      parcel.dueMs = this.world.now + settings.delayMinMs * (tape.choose(8, 'gap after a split') / 8);
      bytes = bytes.subarray(0, at);
      if (parcel.record !== null) parcel.record.splitAtBytes ??= at;
      coverage.count('delivery split');
    } else {
      if (parcel.record !== null) parcel.record.arrivedMs = this.world.now;
      this.#shift();
      bytes = this.#joined(bytes);
    }
    hash.addBytes(bytes.length > limits.hashedBytesMax ? bytes.subarray(0, limits.hashedBytesMax) : bytes);
    // A copy, as a real network makes one: neither side can reach into the other's memory.
    if (bytes.length > 0) this.to.receiveBytes(copied(bytes));
  }

  /** With the parcels behind it, when the receiver's kernel happens to have them together. */
  #joined(first: Uint8Array): Uint8Array {
    const next = this.#parcels[this.#head];
    if (next?.kind !== 'bytes') return first;
    const { settings, tape, coverage } = this.world;
    if (!tape.chance(settings.joinPerMille, 1000, 'join deliveries')) return first;
    this.#shift();
    if (next.record !== null) next.record.arrivedMs = this.world.now;
    coverage.count('deliveries joined');
    const joined = new Uint8Array(first.length + next.bytes.length);
    joined.set(first);
    joined.set(next.bytes, first.length);
    return joined;
  }

  #shift(): void {
    this.#parcels[this.#head] = undefined as unknown as Parcel;
    this.#head += 1;
    if (this.#head > 64 && this.#head * 2 > this.#parcels.length) {
      this.#parcels.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Unacknowledged for long: the sender's kernel ends the connection, and the receiver's keep-alive does, later. */
  #giveUpLater(): void {
    if (this.#givingUp) return;
    this.#givingUp = true;
    this.#giveUp(this.from, 1);
    this.#giveUp(this.to, 2);
  }

  #giveUp(end: SimConnection, times: number): void {
    const { settings, tape } = this.world;
    const range = settings.giveUpMaxMs - settings.giveUpMinMs;
    const afterMs = times * (settings.giveUpMaxMs - (range * tape.choose(16, 'give up sooner')) / 15);
    this.world.after(
      afterMs,
      () => {
        if (!this.#givingUp || this.link.cuts === 0) return;
        this.world.coverage.count('connection timed out');
        end.receiveReset(unacknowledged);
      },
      end.life,
    );
  }
}

/** Small copies share a slab: an allocation of its own for every message would be a good part of a run's time. */
function copied(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  if (length > limits.copySlabBytes / 16) return bytes.slice();
  if (slabUsed + length > slab.length) {
    slab = new Uint8Array(limits.copySlabBytes);
    slabUsed = 0;
  }
  const copy = slab.subarray(slabUsed, slabUsed + length);
  copy.set(bytes);
  slabUsed += length;
  return copy;
}

let slab = new Uint8Array(0);
let slabUsed = 0;

class DeliveryEvent extends SimEvent {
  readonly #pipe: SimPipe;

  constructor(life: Life, pipe: SimPipe) {
    super(life, 5);
    this.#pipe = pipe;
  }

  fire(): void {
    this.#pipe.arrive();
  }
}
