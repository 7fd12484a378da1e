# shellcheck shell=bash
# Boots this machine's system in a container with systemd, on an overlay, and runs a script there. Run it in a mount
# namespace of its own. Arguments: the directory with the script, which also gets the results, the checkout, and the name
# of the script. The script ends with `touch /trial/done`.
set -eu
out=$1 checkout=$2 script=$3
work=$out/work
mkdir -p "$work"
mount -t tmpfs tmpfs "$work"
mkdir -p "$work/upper" "$work/overlay" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/overlay" "$work/root"
units=$work/root/etc/systemd/system
mkdir -p "$units"
cat >"$units/trial.service" <<UNIT
[Service]
Type=oneshot
ExecStart=/bin/bash /trial/$script
StandardOutput=file:/trial/log
StandardError=inherit
SuccessAction=exit
FailureAction=exit
TimeoutStopSec=5s
UNIT
cat >"$units/trial.target" <<UNIT
[Unit]
Requires=basic.target dbus.service
After=basic.target dbus.service
Wants=trial.service
UNIT
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
# it can hang after the container has halted
timeout --kill-after=5 240 systemd-nspawn --quiet --directory="$work/root" --machine="subflowd-$$" --register=no --keep-unit \
  --private-network --capability=all --bind="$out:/trial" --bind-ro="$checkout:/opt/subflowd" --boot \
  systemd.unit=trial.target </dev/null >"$out/console" 2>&1 &
container=$!
while kill -0 "$container" 2>/dev/null && [ ! -e "$out/done" ]; do sleep 0.5; done
# the first process of the container: with it, all others there end
nspawn=$(pgrep --parent "$container" systemd-nspawn || true)
[ -z "$nspawn" ] || pkill -KILL --parent "$nspawn" || true
wait "$container" || true
umount "$work/root"
umount "$work"
