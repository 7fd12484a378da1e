# shellcheck shell=sh
# shellcheck disable=SC1091 # the environment is made for each guest
# Runs in the guest as the child of init.c, from the control share: the last steps that need tools, then the command.
set -eu
: >/run/lab/began
. /run/lab/environment
ip link set lo up

# A checkout below /tmp or /run is hidden by the guest's own: it comes by a share of its own.
if [ -n "${LAB_HIDDEN_CHECKOUT-}" ]; then
  mkdir -p /run/lab-checkout/lower /run/lab-checkout/upper /run/lab-checkout/work "$LAB_CHECKOUT"
  mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose checkout /run/lab-checkout/lower
  # Where init.c could have no overlay, neither can this.
  mount -t overlay -o lowerdir=/run/lab-checkout/lower,upperdir=/run/lab-checkout/upper,workdir=/run/lab-checkout/work \
    overlay "$LAB_CHECKOUT" 2>/dev/null || mount --bind /run/lab-checkout/lower "$LAB_CHECKOUT"
fi
if [ -n "${LAB_OUT-}" ]; then
  mkdir -p "$LAB_OUT"
  mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out "$LAB_OUT"
fi
cd "$LAB_CHECKOUT"
exec sh /run/lab/command
