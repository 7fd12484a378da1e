import { spawnSync } from 'node:child_process';
import { openvpnProgram } from '../lab/openvpn-program.js';

const version = /^OpenVPN (\d+)\.(\d+)/.exec(
  spawnSync(openvpnProgram, ['--version'], { encoding: 'utf8' }).stdout,
);

/** Whether the OpenVPN that the tests run is older than MAJOR.MINOR. */
export function openvpnBefore(major: number, minor: number): boolean {
  const [testedMajor, testedMinor] = [Number(version?.[1]), Number(version?.[2])];
  return testedMajor < major || (testedMajor === major && testedMinor < minor);
}
