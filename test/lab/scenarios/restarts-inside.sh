# shellcheck shell=bash
# Runs in the container that boot-here.sh boots: clients connect all the time while the helper is killed and restarted, first
# as installed, then without the socket that systemd keeps. `restarts-clients.py` counts the clients that were refused their
# second subflow. The test writes the number of restarts to /trial/restarts.
conf=/opt/subflowd/openvpn-conf
printf '#!/bin/sh\nexec %s /opt/subflowd/dist/bundle/main.js "$@"\n' "$(command -v node)" >/usr/local/bin/subflowd
chmod 755 /usr/local/bin/subflowd
cp $conf/subflowd-helper.service $conf/subflowd-helper.socket /etc/systemd/system/
install -D -m 644 $conf/subflowd-sysusers.conf /etc/sysusers.d/subflowd.conf && systemd-sysusers
install -D -m 644 $conf/subflowd-tmpfiles.conf /etc/tmpfiles.d/subflowd.conf && systemd-tmpfiles --create subflowd.conf
ip link set lo up
sysctl -q -w net.mptcp.enabled=1 net.mptcp.pm_type=1

# a client's host with two addresses, of which the second joins
ip netns add client
ip link add server type veth peer name client netns client
ip address add 192.0.2.1/24 dev server && ip link set server up
ip -n client address add 192.0.2.2/24 dev client
ip -n client address add 192.0.2.3/24 dev client
ip -n client link set client up
ip netns exec client sysctl -q -w net.mptcp.enabled=1
ip -n client mptcp limits set subflows 2
ip -n client mptcp endpoint add 192.0.2.3 dev client subflow

# Clients connect while the helper ends some times, by kill -9 and by restart in turns.
# Arguments: the file for the result, and how many times.
trial() {
  systemctl daemon-reload
  systemctl restart subflowd-helper
  /usr/bin/python3 /trial/restarts-clients.py serve &
  server=$!
  until ss -Hltn 'sport = :1194' | grep -q 1194; do sleep 0.1; done
  ip netns exec client /usr/bin/python3 /trial/restarts-clients.py connect "/trial/$1" &
  clients=$!
  for turn in $(seq "$2"); do
    if [ $((turn % 2)) = 0 ]; then
      systemctl restart subflowd-helper
    else
      systemctl kill --kill-whom=main --signal=KILL subflowd-helper
      until systemctl is-active --quiet subflowd-helper; do sleep 0.1; done
    fi
    sleep 0.2
  done
  kill -INT $clients
  wait $clients
  kill $server
  wait $server
}
systemctl start subflowd-helper.socket
trial kept "$(cat /trial/restarts)"
mkdir -p /run/systemd/system/subflowd-helper.service.d
printf '[Service]\nFileDescriptorStoreMax=0\n' >/run/systemd/system/subflowd-helper.service.d/none.conf
trial not-kept 2
journalctl --no-pager -u subflowd-helper >/trial/journal
touch /trial/done
