import type { BitSlot, FieldSelection } from '../memory/field-selection.js';
import type { FieldTable } from '../memory/field-table.js';
import type { PriorityBits } from './priority-bits.js';

/** The priority bits of one subflow, as the kernel has them. */
export interface PriorityFlags {
  /** This host asks for backup. */
  readonly ours: boolean;
  /** The peer asks for backup. */
  readonly peers: boolean;
  /** The kernel will send MP_PRIO with the subflow's next packet. */
  readonly mpPrioPending: boolean;
}

/** Selects the priority bits of a structure, and reads them from a table's rows. */
export class PrioritySlots {
  readonly #ours: BitSlot;
  readonly #peers: BitSlot;
  readonly #sendMpPrio: BitSlot;

  constructor(selection: FieldSelection, { ours, peers, sendMpPrio }: PriorityBits) {
    this.#ours = selection.addBits(ours);
    this.#peers = selection.addBits(peers);
    this.#sendMpPrio = selection.addBits(sendMpPrio);
  }

  read(contexts: FieldTable, row: number): PriorityFlags {
    return {
      ours: contexts.bits(row, this.#ours) !== 0,
      peers: contexts.bits(row, this.#peers) !== 0,
      mpPrioPending: contexts.bits(row, this.#sendMpPrio) !== 0,
    };
  }
}
