import type { Layout } from '../layout/layout.js';
import type { FieldSelection, Slot } from '../memory/field-selection.js';
import type { FieldTable } from '../memory/field-table.js';

/** The member with the client's address ID, in the structure of a subflow of each family of kernels. */
const ADDRESS_ID_MEMBERS = [
  ['mptcp_subflow_context', 'remote_id'],
  ['mptcp_tcp_sock', 'rem_id'],
] as const;

/** Whether a layout has the address ID. One that subflowd made before it read address IDs does not. */
export function hasAddressId(layout: Layout): boolean {
  return ADDRESS_ID_MEMBERS.some(([struct, member]) => layout.has(struct, member));
}

/** Selects the client's address ID of a subflow, and reads it from a table's rows. */
export class AddressIdSlot {
  /** Undefined: the layout was made before subflowd read this member. */
  readonly #slot: Slot | undefined;

  constructor(selection: FieldSelection, layout: Layout, struct: string, member: string) {
    this.#slot = layout.has(struct, member) ? selection.add(layout.field(struct, member)) : undefined;
  }

  /** 0 to 255; undefined if it is not known. */
  read(contexts: FieldTable, row: number): number | undefined {
    return this.#slot === undefined ? undefined : contexts.u8(row, this.#slot);
  }
}
