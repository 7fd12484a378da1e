# Walks to every subflow of every MPTCP connection of one process, as subflowd does, but as a user of drgn would write
# it. Standard input has one command in each line, as in native/main.cc: `open MEMORY VMLINUX TASK DIRECT TEXT CODE END` or
# `walk N`.
import os
import stat
import sys
import time

import drgn
from drgn import cast, container_of
from drgn.helpers.linux.list import list_for_each_entry

program = drgn.Program(drgn.host_platform)
task = None


def open_memory(memory, vmlinux, address, direct, text, code, end):
    global task
    fd = os.open(memory, os.O_RDONLY)
    # the guest has no /proc/kcore, so drgn reads the kernel's memory through these functions
    program.add_memory_segment(direct, end, lambda _, count, offset, physical: os.pread(fd, count, offset))
    program.add_memory_segment(text, 1 << 30, lambda _, count, offset, physical: os.pread(fd, count, code + offset))
    program.load_debug_info([vmlinux])
    task = drgn.Object(program, "struct task_struct", address=address)


def endpoints(sk):
    common = sk.__sk_common
    if common.skc_family.value_() == 2:
        addresses = (common.skc_rcv_saddr.value_(), common.skc_daddr.value_())
    else:
        addresses = (bytes(common.skc_v6_rcv_saddr.in6_u.u6_addr8), bytes(common.skc_v6_daddr.in6_u.u6_addr8))
    return common.skc_num.value_(), common.skc_dport.value_(), addresses


def walk():
    found = []
    table = task.files.fdt
    for fd in range(table.max_fds.value_()):
        file = table.fd[fd]
        if not file:
            continue
        inode = file.f_inode
        if not stat.S_ISSOCK(inode.i_mode.value_()):
            continue
        sk = container_of(inode, "struct socket_alloc", "vfs_inode").socket.sk
        if not sk or sk.__sk_common.skc_state.value_() != 1 or sk.sk_protocol.value_() != 262:
            continue
        meta = cast("struct mptcp_sock *", sk)
        meta_endpoints = endpoints(sk)
        for context in list_for_each_entry(
            "struct mptcp_subflow_context", meta.conn_list.address_of_(), "node"
        ):
            subflow = cast("struct sock *", context.tcp_sock)
            if subflow.__sk_common.skc_state.value_() != 1:
                continue
            bits = context.request_bkup.value_(), context.backup.value_(), context.send_mp_prio.value_()
            found.append((meta_endpoints, endpoints(subflow), bits, meta.token.value_()))
    return found


for line in sys.stdin:
    verb, *words = line.split()
    try:
        if verb == "open":
            open_memory(words[0], words[1], *map(int, words[2:]))
            print("ok", flush=True)
            continue
        start = time.monotonic_ns()
        for _ in range(int(words[0])):
            found = walk()
        print(time.monotonic_ns() - start, len(found), flush=True)
    except Exception as error:
        print("error", repr(error), flush=True)
