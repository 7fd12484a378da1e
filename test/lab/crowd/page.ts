import type { CrowdReport } from './report.js';
export async function writePage(_report: CrowdReport, _out: string): Promise<void> {
  await Promise.resolve();
}
