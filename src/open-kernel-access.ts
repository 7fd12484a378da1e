import type { OpenBackend } from './backend/open.js';
import { openBackend } from './backend/open.js';
import type { KernelConfig } from './config/config.js';

/** Where the work in the kernel is done. */
export interface KernelAccess {
  /** The socket of the helper; undefined: in this process (`run --single`). */
  readonly helper: string | undefined;
  /** The helper is lost. */
  readonly onLost: (text: string) => void;
  /** The helper is back. */
  readonly onBack: () => void;
}

/**
 * Opens the backend in the helper or in this process. Only one of both is loaded.
 * @throws {KernelError} if there is no helper, or if no backend works on this host.
 */
export async function openKernelAccess(kernel: KernelConfig, access: KernelAccess): Promise<OpenBackend> {
  const { helper, onLost, onBack } = access;
  if (helper === undefined) return openBackend(kernel);
  const { RemoteBackend } = await import('./helper/remote-backend.js');
  const { backend, layout } = kernel;
  return RemoteBackend.open({ socket: helper, wanted: { backend, layout }, onLost, onBack });
}
