import type { Column } from '../memory/column.js';
import type { PriorityBits } from './priority-bits.js';
import type { BitSlot, Shape } from '../memory/shape.js';

/** The bits of one subflow. */
export interface Wishes {
  readonly ours: boolean;
  readonly peers: boolean;
  readonly mpPrioPending: boolean;
}

/** Where rows of the structure that holds the priorities have them; the same for both families. */
export class WishSlots {
  readonly #ours: BitSlot;
  readonly #peers: BitSlot;
  readonly #sendMpPrio: BitSlot;

  constructor(shape: Shape, { ours, peers, sendMpPrio }: PriorityBits) {
    this.#ours = shape.addBits(ours);
    this.#peers = shape.addBits(peers);
    this.#sendMpPrio = shape.addBits(sendMpPrio);
  }

  of(contexts: Column, row: number): Wishes {
    return {
      ours: contexts.bits(row, this.#ours) !== 0,
      peers: contexts.bits(row, this.#peers) !== 0,
      mpPrioPending: contexts.bits(row, this.#sendMpPrio) !== 0,
    };
  }
}
