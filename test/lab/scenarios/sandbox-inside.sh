# shellcheck shell=bash
# Runs in the container that boot-here.sh boots: installs openvpn-conf/ unchanged, starts subflowd beside OpenVPN, and then
# lets arbitrary JavaScript run inside the daemon and inside the helper, which tries attempts.py.
conf=/opt/subflowd/openvpn-conf
ip link set lo up
# an address of this host that is not loopback, with somebody who listens
ip address add 192.0.2.1/32 dev lo
/usr/bin/python3 -c '
import socket
server = socket.create_server(("192.0.2.1", 9))
while True: server.accept()' &
printf '#!/bin/sh\nexec %s /opt/subflowd/dist/bundle/main.js "$@"\n' "$(command -v node)" >/usr/local/bin/subflowd
chmod 755 /usr/local/bin/subflowd
mkdir -p /etc/subflowd
cp $conf/subflowd.service $conf/subflowd-helper.service $conf/subflowd-helper.socket /etc/systemd/system/
install -D -m 644 $conf/subflowd-sysusers.conf /etc/sysusers.d/subflowd.conf && systemd-sysusers
install -D -m 644 $conf/subflowd-tmpfiles.conf /etc/tmpfiles.d/subflowd.conf && systemd-tmpfiles --create subflowd.conf
cat >/etc/subflowd/subflowd.ini <<'INI'
[openvpn server]
management = /run/subflowd/management/server.sock
[path wifi]
prefix = 192.168.100.0/24
[default]
primary = wifi
[console]
group = subflowd
INI
sysctl -q -w net.mptcp.pm_type=1
openvpn --dev null --proto tcp-server --lport 1194 --user nobody \
  --management /run/subflowd/management/server.sock unix >/trial/openvpn.log 2>&1 &
systemctl daemon-reload
systemctl start subflowd
answers() {
  for _ in $(seq 60); do
    subflowd status >"$1" 2>&1
    grep -q 'management connected' "$1" && return
    sleep 1
  done
}
answers /trial/status
pid_of() { systemctl show -p MainPID --value "$1"; }
{
  sed -n 's/^CapEff/daemon CapEff/p' "/proc/$(pid_of subflowd)/status"
  sed -n 's/^CapEff/helper CapEff/p' "/proc/$(pid_of subflowd-helper)/status"
} >/trial/capabilities
for unit in subflowd subflowd-helper; do
  systemd-analyze security --no-pager "$unit.service" | grep -a 'Overall exposure'
done >/trial/exposures

sleep infinity &
victim=$!
cp /trial/attempts.py /usr/local/lib/attempts.py
cat >/usr/local/lib/taken.mjs <<JS
import { execFileSync } from 'node:child_process';
const words = ['/usr/local/lib/attempts.py', '$victim', '$(pgrep -o openvpn)'];
process.stderr.write('TAKEN' + execFileSync('/usr/bin/python3', words));
JS
for unit in subflowd subflowd-helper; do
  mkdir -p /run/systemd/system/$unit.service.d
  printf '[Service]\nEnvironment="NODE_OPTIONS=--max-semi-space-size=1 --import=/usr/local/lib/taken.mjs"\n' \
    >/run/systemd/system/$unit.service.d/taken.conf
done
systemctl daemon-reload
systemctl restart subflowd-helper subflowd
answers /trial/status-after
journalctl --sync
journalctl --no-pager -o cat -u subflowd | sed -n 's/^TAKEN//p' | tail -1 >/trial/taken-daemon
journalctl --no-pager -o cat -u subflowd-helper | sed -n 's/^TAKEN//p' | tail -1 >/trial/taken-helper
journalctl --no-pager -u subflowd -u subflowd-helper >/trial/journal
# shellcheck disable=SC2046 # PIDs
kill $(jobs -p)
touch /trial/done
