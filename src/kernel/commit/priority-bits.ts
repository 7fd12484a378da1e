import type { Priority } from '../../model/subflow.js';
import type { Access } from '../../native/addon.js';
import { KernelError } from '../../model/kernel-error.js';
import { bytesOf, type BitField, type Layout } from '../layout/layout.js';

/** Bits that one atomic write changes together. */
interface Change {
  /** Bytes from the start of the structure; a multiple of `width`. */
  readonly offset: number;
  /** Bytes. */
  readonly width: 1 | 2 | 4;
  readonly mask: number;
  readonly value: number;
  /** The bits of the mask that only we write. The commit reads these back. */
  readonly readBack: number;
}

/** A bit that must have this value before a commit writes. */
export interface Precondition {
  readonly bit: BitField;
  readonly value: 0 | 1;
}

/** Which scheduler a kernel has: one that honours the priorities of both sides, or one that honours the peer's alone. */
export type SchedulerHonours = 'both' | 'peers';

/** The fields of one MPTCP implementation that hold a subflow's priorities. Names are the kernel's. */
export interface PriorityFields {
  readonly struct: string;
  /** The bit field for the priority that this host asks for. */
  readonly ours: string;
  /** The bit field for the priority that the peer asks for. */
  readonly peers: string;
  /** If this bit is set, the kernel sends MP_PRIO with our priority, and then clears the bit. */
  readonly sendMpPrio: string;
  readonly preconditions: readonly Precondition[];
  /** Bit fields that the kernel does not write on an established subflow. A byte-wise write may write them back as read. */
  readonly stableBits: ReadonlySet<string>;
  /** With `peers`, a commit must write our priority to the peer's bit as well. */
  readonly schedulerHonours: SchedulerHonours;
}

/** Where the priorities of a subflow lie, and how this host can write them. */
export class PriorityBits {
  readonly ours: BitField;
  readonly peers: BitField;
  readonly sendMpPrio: BitField;
  readonly preconditions: readonly Precondition[];
  readonly schedulerHonours: SchedulerHonours;
  /** Why subflowd cannot ask the kernel to send MP_PRIO; undefined if it can. */
  readonly cannotNotifyReason: string | undefined;
  /** Why subflowd cannot override the peer's priority; undefined if it can. */
  readonly cannotOverrideReason: string | undefined;
  /** Earlier results of {@link changes}: there are only eight different ones. */
  readonly #cache: (BigUint64Array | undefined)[] = [];

  /** @throws {KernelError} if there is no safe way to write our priority on this kernel. */
  constructor(
    private readonly layout: Layout,
    private readonly access: Access,
    private readonly fields: PriorityFields,
  ) {
    const { struct, preconditions, schedulerHonours } = fields;
    this.ours = layout.bits(struct, fields.ours);
    this.peers = layout.bits(struct, fields.peers);
    this.sendMpPrio = layout.bits(struct, fields.sendMpPrio);
    this.preconditions = preconditions;
    this.schedulerHonours = schedulerHonours;
    const needed = schedulerHonours === 'peers' ? [this.ours, this.peers] : [this.ours];
    for (const bit of needed) {
      const reason = this.#unsafeReason(bit);
      if (reason !== undefined) throw new KernelError('field', reason, NOPAT);
    }
    const notify = this.#unsafeReason(this.sendMpPrio);
    this.cannotNotifyReason = notify && `the client is not notified: ${notify}; to notify it, ${NOPAT}`;
    const override = this.#unsafeReason(this.peers);
    this.cannotOverrideReason =
      override && `the client's own priority cannot be overridden: ${override}; ${NOPAT}`;
  }

  /**
   * The changes that set our priority and, where that is safe, ask for MP_PRIO, as the native `commit` takes them. Where
   * memory is mapped and the bits fit into four aligned bytes, one change sets them all.
   * @param peers the peer's priority at the last observation.
   * @param overridePeer whether to set the peer's bit to active if ours is active.
   */
  changes(ours: Priority, peers: Priority, overridePeer: boolean): BigUint64Array {
    const key = (ours === 'backup' ? 4 : 0) + (peers === 'backup' ? 2 : 0) + (overridePeer ? 1 : 0);
    return (this.#cache[key] ??= toWords(this.#makeChanges(ours, peers, overridePeer)));
  }

  #makeChanges(ours: Priority, peers: Priority, overridePeer: boolean): readonly Change[] {
    const peersBit = this.#newPeersBit(ours, peers, overridePeer);
    const changes = [
      { bit: this.ours, value: ours === 'backup' },
      ...(peersBit === undefined ? [] : [{ bit: this.peers, value: peersBit }]),
      ...(this.cannotNotifyReason === undefined ? [{ bit: this.sendMpPrio, value: true }] : []),
    ];
    // Without a unit that contains all bits, each byte gets a change of its own.
    const common = this.access === 'mapped' ? unitOf(changes.map(({ bit }) => bit)) : undefined;
    const units = new Map<number, Change>();
    for (const { bit, value } of changes) {
      const unit = common ?? { offset: bit.bitOffset >>> 3, width: 1 };
      const flag = 1 << (bit.bitOffset - unit.offset * 8);
      const before = units.get(unit.offset) ?? { mask: 0, value: 0, readBack: 0 };
      units.set(unit.offset, {
        ...unit,
        mask: (before.mask | flag) >>> 0,
        value: (before.value | (value ? flag : 0)) >>> 0,
        // the kernel itself clears send_mp_prio, and writes the peer's bit when MP_PRIO arrives
        readBack: (before.readBack | (bit === this.ours ? flag : 0)) >>> 0,
      });
    }
    return [...units.values()];
  }

  /** The value to write to the peer's bit, where true is backup; undefined: the bit stays as it is. */
  #newPeersBit(ours: Priority, peers: Priority, overridePeer: boolean): boolean | undefined {
    const isOverridden = overridePeer && ours === 'active';
    if (this.schedulerHonours === 'peers') return ours === 'backup' || (peers === 'backup' && !isOverridden);
    return isOverridden && peers === 'backup' ? false : undefined;
  }

  /** Why this host cannot write a bit safely; undefined if it can. */
  #unsafeReason(bit: BitField): string | undefined {
    if (this.access === 'mapped') return undefined;
    const byte = bit.bitOffset >>> 3;
    // Every commit writes these two. If the kernel clears send_mp_prio meanwhile, it sends MP_PRIO a second time.
    const written = new Set([bit.name, this.ours.name, this.sendMpPrio.name]);
    const unstable = this.layout
      .bitFields(this.fields.struct)
      .filter(({ bitOffset, bitSize }) => bitOffset >>> 3 <= byte && (bitOffset + bitSize - 1) >>> 3 >= byte)
      .map(({ name }) => name)
      .filter((name) => !written.has(name) && !this.fields.stableBits.has(name));
    return unstable.length === 0
      ? undefined
      : `a byte-wise write to ${bit.name} is not safe, because ${bit.name} shares its byte with ${unstable.join(', ')}, ` +
          'which the kernel may change at the same time';
  }
}

const NOPAT = 'boot with the kernel parameter nopat';

/** The smallest aligned unit of at most four bytes that contains all these bits. */
function unitOf(bits: readonly BitField[]): Pick<Change, 'offset' | 'width'> | undefined {
  const bytes = bits.map(bytesOf);
  const first = Math.min(...bytes.map(({ offset }) => offset));
  const last = Math.max(...bytes.map(({ offset, size }) => offset + size - 1));
  const width = ([1, 2, 4] as const).find((size) => Math.floor(first / size) === Math.floor(last / size));
  return width === undefined ? undefined : { offset: Math.floor(first / width) * width, width };
}

function toWords(changes: readonly Change[]): BigUint64Array {
  return BigUint64Array.from(
    changes.flatMap(({ offset, width, mask, value, readBack }) =>
      [offset, width, mask, value, readBack].map(BigInt),
    ),
  );
}
