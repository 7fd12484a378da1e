import { describe, expect, it } from 'vitest';
import { parseMptcpSettings } from '../../../src/backend/netlink/mptcp-settings.js';
import {
  checkOwnPathManager,
  pathManagerRemedy,
  pathManagerSetting,
} from '../../../src/backend/netlink/path-manager-setting.js';

/** What `grep -rs . /proc/sys/net/mptcp` prints with these settings. */
function settingsOf(...lines: readonly string[]) {
  return parseMptcpSettings(lines.map((line) => `/proc/sys/net/mptcp/${line}`).join('\n'));
}

describe('the path manager of a network namespace', () => {
  it.each([
    [
      'Linux 6.15 and later, userspace',
      ['path_manager:userspace', 'pm_type:1'],
      'net.mptcp.path_manager = userspace',
      true,
    ],
    [
      'Linux 6.15 and later, kernel',
      ['pm_type:0', 'path_manager:kernel'],
      'net.mptcp.path_manager = kernel',
      false,
    ],
    // a name that only path_manager can have: pm_type is then 2 or more
    [
      'one that is written in BPF',
      ['path_manager:mine', 'pm_type:2'],
      'net.mptcp.path_manager = mine',
      false,
    ],
    [
      'a kernel that has removed pm_type',
      ['path_manager:userspace'],
      'net.mptcp.path_manager = userspace',
      true,
    ],
    ['Linux 5.19 to 6.14, userspace', ['pm_type:1'], 'net.mptcp.pm_type = 1', true],
    ['Linux 5.19 to 6.14, kernel', ['pm_type:0'], 'net.mptcp.pm_type = 0', false],
  ])('%s', (_, lines, text, isUserspace) => {
    expect(pathManagerSetting(settingsOf(...lines))).toMatchObject({ text, isUserspace });
  });

  it('is not known before Linux 5.19', () => {
    expect(pathManagerSetting(settingsOf('enabled:1'))).toBeUndefined();
    expect(checkOwnPathManager(pathManagerSetting(settingsOf('enabled:1')))).toMatchObject({
      verdict: 'note',
    });
  });

  it('is set by the name that the kernel has', () => {
    const remedyOf = (...lines: readonly string[]) => {
      const setting = pathManagerSetting(settingsOf(...lines));
      return setting && pathManagerRemedy(setting);
    };
    expect(remedyOf('path_manager:kernel', 'pm_type:0')).toContain(
      'sysctl -w net.mptcp.path_manager=userspace',
    );
    expect(remedyOf('pm_type:0')).toContain('sysctl -w net.mptcp.pm_type=1');
  });

  it('is reported with its value', () => {
    expect(checkOwnPathManager(pathManagerSetting(settingsOf('pm_type:0')))).toMatchObject({
      verdict: 'note',
      found: 'net.mptcp.pm_type = 0: sessions of servers here cannot be switched',
    });
    expect(checkOwnPathManager(pathManagerSetting(settingsOf('path_manager:userspace')))).toMatchObject({
      verdict: 'ok',
    });
  });
});
