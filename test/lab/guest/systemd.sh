# shellcheck shell=sh
# Run by init.c before the host's systemd becomes process 1: a unit that runs the command and powers the guest off,
# and the units that a guest without disk and network would only wait for.
set -eu
mkdir -p /run/systemd/system

cat >/run/systemd/system/lab.service <<'UNIT'
[Unit]
Description=The lab's command
Requires=basic.target
After=basic.target

[Service]
Type=oneshot
TimeoutStartSec=infinity
Environment=HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/bin/sh /run/lab/unit.sh
UNIT

# The port takes one opener only, so what the command's children may open as /dev/stdout has to be a pipe.
cat >/run/lab/unit.sh <<'SCRIPT'
{
  code=0
  sh /run/lab/init.sh 2>&1 </dev/null || code=$?
  echo "$code" >/run/lab/exit.tmp
} | cat >/dev/vport0p1
mv /run/lab/exit.tmp /run/lab/exit
sync
systemctl poweroff --force --force
SCRIPT

for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udev-settle.service systemd-random-seed.service \
  systemd-timesyncd.service systemd-journal-flush.service systemd-sysctl.service systemd-update-utmp.service \
  networking.service ifupdown-pre.service apparmor.service nftables.service keyboard-setup.service \
  console-setup.service systemd-binfmt.service systemd-modules-load.service systemd-hwdb-update.service; do
  ln -sf /dev/null "/run/systemd/system/$unit"
done
