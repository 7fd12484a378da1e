import type { Priority } from '../../model/subflow.js';
import type { Access } from '../../native/addon.js';
import { KernelError } from '../../model/kernel-error.js';
import { bytesOf, type BitField, type Layout } from '../layout/layout.js';

/** Bits to change together, of the smallest aligned unit that holds them. */
interface Change {
  /** From the structure's start, bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly width: 1 | 2 | 4;
  readonly mask: number;
  readonly value: number;
  /** Those of the mask that nobody else changes. */
  readonly kept: number;
}

/** A bit that must have this value before anything is written. */
export interface Settled {
  readonly bit: BitField;
  readonly value: 0 | 1;
}

/** What a family knows of the structure that holds a subflow's priorities. */
export interface PrioritySource {
  readonly struct: string;
  /** Our wish. */
  readonly ours: string;
  /** The peer's wish. */
  readonly peers: string;
  /** Set: the kernel will send MP_PRIO with our wish and clear it. */
  readonly sendMpPrio: string;
  readonly settled: readonly Settled[];
  /** Bit fields that nobody writes once a subflow is settled: their byte can be written back as it was read. */
  readonly quiet: ReadonlySet<string>;
  /** What the kernel's scheduler asks: `either` wish, or the `peers` alone, which ours must then be written to as well. */
  readonly heeds: 'either' | 'peers';
}

/** Where a subflow's priorities lie, and how they may be written on this host. */
export class PriorityBits {
  readonly ours: BitField;
  readonly peers: BitField;
  readonly sendMpPrio: BitField;
  readonly settled: readonly Settled[];
  readonly heeds: 'either' | 'peers';
  /** Why MP_PRIO cannot be asked for; absent if it can. */
  readonly silentBecause: string | undefined;
  /** Why the peer's wish cannot be written; absent if it can. */
  readonly peersFixedBecause: string | undefined;
  /** What {@link changes} gave before: there are few wishes, and many subflows. */
  readonly #made: (BigUint64Array | undefined)[] = [];

  /** @throws {KernelError} if this kernel's structure leaves no safe way to write our wish. */
  constructor(
    private readonly layout: Layout,
    private readonly access: Access,
    private readonly source: PrioritySource,
  ) {
    const { struct, settled, heeds } = source;
    this.ours = layout.bits(struct, source.ours);
    this.peers = layout.bits(struct, source.peers);
    this.sendMpPrio = layout.bits(struct, source.sendMpPrio);
    this.settled = settled;
    this.heeds = heeds;
    const needed = heeds === 'peers' ? [this.ours, this.peers] : [this.ours];
    for (const bit of needed) {
      const why = this.#unsafe(bit);
      if (why !== undefined) throw new KernelError('field', why, NOPAT);
    }
    const mute = this.#unsafe(this.sendMpPrio);
    this.silentBecause = mute && `the client is not told: ${mute}; ${NOPAT} to tell it`;
    const fixed = this.#unsafe(this.peers);
    this.peersFixedBecause = fixed && `the client's own wish cannot be overridden: ${fixed}; ${NOPAT}`;
  }

  /**
   * What makes our wish so and asks for MP_PRIO where that is safe, as {@link NativeMemory.commit} takes it; in this order,
   * each of one unit. Mapped, all bits change in one where a unit of four bytes holds them.
   * @param peers the peer's wish as it was seen; with `overridePeer` it is taken back where ours is active.
   */
  changes(ours: Priority, peers: Priority, overridePeer: boolean): BigUint64Array {
    const which = (ours === 'backup' ? 4 : 0) + (peers === 'backup' ? 2 : 0) + (overridePeer ? 1 : 0);
    return (this.#made[which] ??= toWords(this.#make(ours, peers, overridePeer)));
  }

  #make(ours: Priority, peers: Priority, overridePeer: boolean): readonly Change[] {
    const kept = overridePeer && ours === 'active' ? 'active' : peers;
    const peersValue =
      this.heeds === 'peers' ? ours === 'backup' || kept === 'backup' : kept === peers ? undefined : false;
    const changes = [
      { bit: this.ours, value: ours === 'backup' },
      ...(peersValue === undefined ? [] : [{ bit: this.peers, value: peersValue }]),
      ...(this.silentBecause === undefined ? [{ bit: this.sendMpPrio, value: true }] : []),
    ];
    const together = this.access === 'mapped' ? unitOf(changes.map(({ bit }) => bit)) : undefined;
    const units = new Map<number, Change>();
    for (const { bit, value } of changes) {
      const unit = together ?? { offset: bit.bitOffset >>> 3, width: 1 };
      const one = 1 << (bit.bitOffset - unit.offset * 8);
      const { mask, value: before, kept } = units.get(unit.offset) ?? { mask: 0, value: 0, kept: 0 };
      units.set(unit.offset, {
        ...unit,
        mask: (mask | one) >>> 0,
        value: (before | (value ? one : 0)) >>> 0,
        // the kernel clears send_mp_prio, and the peer may ask for another priority
        kept: (kept | (bit === this.ours ? one : 0)) >>> 0,
      });
    }
    return [...units.values()];
  }

  /** Why a bit cannot be written on this host, or undefined if it can. */
  #unsafe(bit: BitField): string | undefined {
    if (this.access === 'mapped') return undefined;
    const byte = bit.bitOffset >>> 3;
    // what every commit writes anyway: the kernel may clear send_mp_prio meanwhile, and sends MP_PRIO once more
    const written = new Set([bit.name, this.ours.name, this.sendMpPrio.name]);
    const busy = this.layout
      .bitFields(this.source.struct)
      .filter(({ bitOffset, bitSize }) => bitOffset >>> 3 <= byte && (bitOffset + bitSize - 1) >>> 3 >= byte)
      .map(({ name }) => name)
      .filter((name) => !written.has(name) && !this.source.quiet.has(name));
    return busy.length === 0
      ? undefined
      : `${bit.name} shares its byte with ${busy.join(', ')}, which may change meanwhile, and cannot be written byte-wise`;
  }
}

const NOPAT = 'boot with the kernel parameter nopat';

/** The smallest aligned unit of at most four bytes that holds all the bits. */
function unitOf(bits: readonly BitField[]): Pick<Change, 'offset' | 'width'> | undefined {
  const bytes = bits.map(bytesOf);
  const first = Math.min(...bytes.map(({ offset }) => offset));
  const last = Math.max(...bytes.map(({ offset, size }) => offset + size - 1));
  const width = ([1, 2, 4] as const).find((size) => Math.floor(first / size) === Math.floor(last / size));
  return width === undefined ? undefined : { offset: Math.floor(first / width) * width, width };
}

function toWords(changes: readonly Change[]): BigUint64Array {
  return BigUint64Array.from(
    changes.flatMap(({ offset, width, mask, value, kept }) => [offset, width, mask, value, kept].map(BigInt)),
  );
}
