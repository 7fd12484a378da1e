"""Tries what an attacker who controls the daemon would try, with the daemon's rights. Prints JSON: for each attempt, `done`
or the error that ended it. An attempt that succeeds does no damage."""

import ctypes
import errno
import json
import os
import socket
import sys

victim = int(sys.argv[1])  # a process of root
openvpn = int(sys.argv[2])  # a process that root has started
libc = ctypes.CDLL(None, use_errno=True)

PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
SYS_FINIT_MODULE = 313
SYS_PROCESS_VM_READV, SYS_PROCESS_VM_WRITEV, SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 310, 311, 434, 438  # x86_64


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def checked(result):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def syscall(number, *arguments):
    # each argument is a whole word, because the upper half of a C int on the stack is undefined
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return checked(libc.syscall(ctypes.c_long(number), *words))


def write_to(path):
    def attempt():
        os.close(os.open(path, os.O_RDWR))

    return attempt


def read_from(path):
    def attempt():
        with open(path, "rb") as file:
            file.read(1)

    return attempt


def connect_out():
    # an address of this host that is not loopback: the kernel reaches it without a route to the outside
    with socket.create_connection(("192.0.2.1", 9), timeout=5):
        pass


def load_module():
    # any file will do: the kernel checks the right before the content
    with open("/etc/passwd", "rb") as file:
        try:
            syscall(SYS_FINIT_MODULE, file.fileno(), b"", 0)
        except OSError as error:
            # what a process with the right gets for such a file
            if error.errno != errno.ENOEXEC:
                raise


def copy_memory(number):
    def attempt():
        with open(f"/proc/{victim}/maps") as maps:
            address = next(int(line.split("-")[0], 16) for line in maps if " rw" in line)
        byte = ctypes.create_string_buffer(1)
        local = Iovec(ctypes.cast(byte, ctypes.c_void_p), 1)
        remote = Iovec(address, 1)
        syscall(number, victim, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)

    return attempt


def trace():
    checked(libc.ptrace(PTRACE_SEIZE, victim, None, None))
    libc.ptrace(PTRACE_DETACH, victim, None, None)


def take_descriptor():
    pidfd = syscall(SYS_PIDFD_OPEN, victim, 0)
    os.close(syscall(SYS_PIDFD_GETFD, pidfd, 0, 0))


def give_file_to_root():
    path = "/run/subflowd/attempt"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    try:
        os.chown(path, 0, 0)
    finally:
        os.unlink(path)


def replace_events():
    os.rename("/run/subflowd/events", "/run/subflowd/taken")
    os.rename("/run/subflowd/taken", "/run/subflowd/events")


attempts = {
    "write the memory of process 1": write_to("/proc/1/mem"),
    "write the memory of a process of root": write_to(f"/proc/{victim}/mem"),
    "write the memory of OpenVPN": write_to(f"/proc/{openvpn}/mem"),
    "read the memory of process 1": read_from("/proc/1/mem"),
    "read the memory of a process of root": read_from(f"/proc/{victim}/mem"),
    "read /etc/shadow": read_from("/etc/shadow"),
    "read /etc/shadow as process 1 sees it": read_from("/proc/1/root/etc/shadow"),
    "read the environment of a process of root": read_from(f"/proc/{victim}/environ"),
    "connect to another host": connect_out,
    "load a module": load_module,
    "process_vm_writev": copy_memory(SYS_PROCESS_VM_WRITEV),
    "process_vm_readv": copy_memory(SYS_PROCESS_VM_READV),
    "ptrace": trace,
    "pidfd_getfd": take_descriptor,
    "write /etc/shadow": write_to("/etc/shadow"),
    "write OpenVPN's config": write_to("/etc/openvpn/server/lab.conf"),
    "write a hook": write_to("/usr/local/lib/subflowd/client-connect"),
    "write a setting of the kernel": write_to("/proc/sys/kernel/core_pattern"),
    "write /dev/mem": write_to("/dev/mem"),
    "change the OOM score of a process of root": write_to(f"/proc/{victim}/oom_score_adj"),
    "give a file to root": give_file_to_root,
    "become root": lambda: os.setuid(0),
    "send a signal to a process of root": lambda: os.kill(victim, 0),
    "mount": lambda: checked(libc.mount(b"none", b"/run/subflowd", b"tmpfs", 0, None)),
    "make a device": lambda: os.mknod("/run/subflowd/attempt", 0o020600, os.makedev(1, 1)),
    "replace the events directory": replace_events,
    "add to the events directory": lambda: os.mkdir("/run/subflowd/events/attempt"),
    "open a user's directory to others": lambda: os.chmod("/run/subflowd/events/nobody", 0o777),
}

results = {}
for name, attempt in attempts.items():
    try:
        attempt()
        results[name] = "done"
    except OSError as error:
        results[name] = os.strerror(error.errno)
print(json.dumps(results))
