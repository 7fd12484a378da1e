import type { Priority, Subflow } from '../../model/subflow.js';
import type { SchedulerHonours } from '../commit/priority-bits.js';
import type { PriorityFlags } from '../commit/priority-slots.js';

/**
 * The priorities of a subflow, from its bits in memory.
 *
 * If the scheduler honours the peer's bit alone, a commit writes our priority to it, and the peer's priority is only known
 * from before that commit. So after a restart of subflowd, the peer of a subflow that we made backup counts as active. If the
 * peer clears its bit, it clears our priority too. Then ours has no effect, and is reported as active.
 * @param peersBefore the peer's priority in the last observation; undefined if there was none.
 */
export function interpretPriorities(
  { ours, peers, mpPrioPending }: PriorityFlags,
  peersBefore: Priority | undefined,
  schedulerHonours: SchedulerHonours,
): Pick<Subflow, 'ours' | 'peers' | 'mpPrioPending'> {
  if (schedulerHonours === 'both') {
    return { ours: toPriority(ours), peers: toPriority(peers), mpPrioPending };
  }
  const isOurs = ours && peers;
  const peersNow = isOurs ? (peersBefore ?? 'active') : toPriority(!ours && peers);
  return { ours: toPriority(isOurs), peers: peersNow, mpPrioPending };
}

function toPriority(isBackup: boolean): Priority {
  return isBackup ? 'backup' : 'active';
}
