import type { Backend, NotTried, PriorityRequest, PriorityResult } from '../../src/backend/backend.js';
import type { Priority, SubflowName } from '../../src/model/subflow.js';

/** Sets one priority. @throws {Error} if the backend is not open. */
export async function setPriority(
  backend: Pick<Backend, 'setPriorities'> | undefined,
  name: SubflowName,
  priority: Priority,
  options: Pick<PriorityRequest, 'overridePeer'> = {},
): Promise<PriorityResult | (NotTried & { readonly reason?: string })> {
  const [result] = (await backend?.setPriorities([{ name, priority, ...options }])) ?? [];
  if (!result) throw new Error('the backend gave no result');
  return result;
}
