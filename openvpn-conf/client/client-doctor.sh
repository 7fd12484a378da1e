# shellcheck shell=sh
# shellcheck disable=SC2154 # SYSCTL is set by subflowd-client
# The checks of `subflowd-client doctor`, which reads this file. It is part of that program, and no program of its own.

has_bad=0

# report VERDICT WHAT [REMEDY]
report() {
  printf '%-5s %s\n' "$1" "$2"
  [ -z "${3-}" ] || printf '      to fix it: %s\n' "$3"
  [ "$1" != BAD ] || has_bad=1
}

# Prints a counter of MPTCP, 0 if the kernel does not have it.
counter() {
  value=$(nstat -asz "MPTcpExt$1" 2>/dev/null | sed -n "s/^MPTcpExt$1 *\([0-9]*\).*/\1/p")
  echo "${value:-0}"
}

check_kernel() {
  if [ ! -d "$SYSCTL" ]; then
    report BAD 'this kernel has no MPTCP' 'use Linux 5.6 or later with CONFIG_MPTCP, as distributions build it'
    return 1
  fi
  if [ "$(cat "$SYSCTL/enabled")" = 0 ]; then
    report BAD 'MPTCP is off' 'sysctl -w net.mptcp.enabled=1'
  else
    report ok 'MPTCP is on'
  fi
  if [ "$(cat "$SYSCTL/pm_type" 2>/dev/null || echo 0)" != 0 ]; then
    report BAD "the kernel's own path manager is off, so no second subflow is made" \
      'sysctl -w net.mptcp.pm_type=0: only the server of subflowd needs 1'
  fi
  if ! ip mptcp limits show >/dev/null 2>&1; then
    report BAD 'ip cannot set up MPTCP' 'install iproute2 5.13 or later'
    return 1
  fi
  command -v mptcpize >/dev/null 2>&1 || report BAD 'mptcpize is missing, which starts OpenVPN with MPTCP' 'apt install mptcpize'
}

check_networks() {
  list=$(addresses)
  devices=$(echo "$list" | sed 's/^. \([^ ]*\) .*/\1/' | sort -u | grep -c .)
  case $devices in
    0) report BAD 'no network has a default route and an address' 'connect this host to a network' ;;
    1) report note 'only one network has a default route and an address' 'connect a second one, such as WiFi and LTE' ;;
    *) report ok "$devices networks have a default route and an address" ;;
  esac
  subflows=$(limit subflows)
  if [ "$subflows" -lt $((devices - 1)) ] || [ "$subflows" = 0 ]; then
    report BAD "a connection may have only $subflows further subflows" 'subflowd-client up'
  fi
  while read -r family device address; do
    [ -n "$address" ] || continue
    [ -n "$(endpoint_id "$address")" ] ||
      report BAD "$address of $device is no endpoint, so it joins no connection" 'subflowd-client up'
    target=192.0.2.1
    [ "$family" = 4 ] || target=2001:db8::1
    leaves=$(ip "-$family" route get "$target" from "$address" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p')
    [ "$leaves" = "$device" ] ||
      report BAD "packets from $address leave through ${leaves:-no device}, not through $device" 'subflowd-client up'
  done <<END
$list
END
}

check_tunnels() {
  while read -r address _ id rest; do
    device=$(echo "$rest" | sed -n 's/.*dev \([^ ]*\).*/\1/p')
    [ -n "$device" ] ||
      device=$(ip -o address show 2>/dev/null | sed -n "s|^[0-9]*: \([^ ]*\) .* inet6* $address/.*|\1|p" | head -n 1)
    if [ -n "$device" ] && [ -n "$(tunnel_kind "$device")" ]; then
      report BAD "$address is an endpoint on the tunnel $device: the tunnel would run inside itself" "ip mptcp endpoint delete id $id"
    fi
  done <<END
$(ip mptcp endpoint show)
END
}

check_way() {
  blackholes=$(counter Blackhole)
  seconds=$(cat "$SYSCTL/blackhole_timeout" 2>/dev/null || echo 0)
  if [ "$blackholes" -gt 0 ] && [ "$seconds" -gt 0 ]; then
    report note "a network dropped MPTCP $blackholes times since this host started: after that, the kernel uses plain TCP for $seconds s or longer" \
      'sysctl -w net.mptcp.blackhole_timeout=0 ends that; then restart OpenVPN'
  fi
  stripped=$(($(counter MPCapableFallbackSYNACK) + $(counter MPCapableFallbackACK)))
  if [ "$stripped" -gt 0 ]; then
    report note "$stripped connections fell back to plain TCP during the handshake" \
      'start the server under mptcpize; if it is, something on the way strips the options of MPTCP: try another network'
  fi
}

check_openvpn() {
  processes=$(pidof openvpn) || report note 'no OpenVPN runs here' 'start it, and run this again'
  for process in $processes; do
    of="pid=$process,"
    if ss -HMnpi 2>/dev/null | grep -A1 -F "$of" | grep -q ' fallback'; then
      report BAD "OpenVPN $process fell back to plain TCP" 'something on the way strips the options of MPTCP: try another network'
    elif ss -HMnp 2>/dev/null | grep -qF "$of"; then
      report ok "OpenVPN $process uses MPTCP"
    elif ss -Htnp state established 2>/dev/null | grep -qF "$of"; then
      report BAD "OpenVPN $process uses plain TCP" 'start it under mptcpize run, with disable-dco in its config'
    elif ss -Hunp 2>/dev/null | grep -qF "$of"; then
      report BAD "OpenVPN $process uses UDP, and MPTCP is TCP" 'proto tcp-client in its config, if the server offers TCP'
    else
      report note "OpenVPN $process is not connected" 'look at its log'
    fi
  done
}

doctor() {
  if check_kernel; then
    check_networks
    check_tunnels
    check_way
    check_openvpn
  fi
  return "$has_bad"
}
