"""Runs in the web server's namespace: `prober.py INTERVAL_MS SOURCE ADDRESS...`.

It sends an ICMP echo request from SOURCE to each address at this interval, until SIGTERM. The kernel of each client
answers through the tunnel, so no process of a client has to run. Then it prints a JSON line: for each address, in their
order, a list of [when it was sent, round-trip time]. Times are milliseconds, the first one Unix time; the second one is null
if no answer came. The kernel stamps each answer when it arrives, so a busy machine adds little.
"""

import json
import os
import select
import signal
import socket
import struct
import sys
import time

SO_TIMESTAMPNS = 35
ECHO_REQUEST, ECHO_REPLY = 8, 0
IDENTIFIER = os.getpid() & 0xFFFF
HEADER = struct.Struct("!BBHHH")
BODY = bytes(48)
IP_HEADER_BYTES = 20
# After the end, answers are awaited for this long, seconds.
GRACE = 1.0


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def request(sequence):
    unsigned = HEADER.pack(ECHO_REQUEST, 0, 0, IDENTIFIER, sequence) + BODY
    return HEADER.pack(ECHO_REQUEST, 0, checksum(unsigned), IDENTIFIER, sequence) + BODY


def receive(sock, index_of, sent, answered):
    while True:
        try:
            packet, ancillary, _, (address, _) = sock.recvmsg(2048, 256)
        except BlockingIOError:
            return
        kind, _, _, identifier, sequence = HEADER.unpack_from(packet, IP_HEADER_BYTES)
        index = index_of.get(address)
        if kind != ECHO_REPLY or identifier != IDENTIFIER or index is None:
            continue
        for _, kind, value in ancillary:
            if kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack("qq", value)
                # The sequence number has 16 bits; a run is shorter than 65536 intervals.
                if sequence < len(sent[index]):
                    answered[index].setdefault(sequence, seconds * 1000 + nanoseconds / 1e6)


def main():
    interval = float(sys.argv[1]) / 1000
    source, addresses = sys.argv[2], sys.argv[3:]
    index_of = {address: index for index, address in enumerate(addresses)}
    sent = [[] for _ in addresses]
    answered = [{} for _ in addresses]
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.bind((source, 0))
    sock.setblocking(False)
    # The addresses take turns within an interval, so that probes do not come in bursts.
    step = interval / len(addresses)
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(time.monotonic()))
    due, turn = time.monotonic(), 0
    print("probing", flush=True)
    while not stopped or time.monotonic() < stopped[0] + GRACE:
        pause = GRACE / 10 if stopped else max(0, due - time.monotonic())
        readable, _, _ = select.select([sock], [], [], pause)
        if readable:
            receive(sock, index_of, sent, answered)
        if not stopped and time.monotonic() >= due:
            index, due = turn % len(addresses), due + step
            sequence = len(sent[index])
            sent[index].append(time.time() * 1000)
            try:
                sock.sendto(request(sequence & 0xFFFF), (addresses[index], 0))
            except OSError:
                pass  # the queue is full: this probe has no answer
            turn += 1
    results = [
        [[at, received[n] - at if n in received else None] for n, at in enumerate(times)]
        for times, received in zip(sent, answered)
    ]
    print(json.dumps(results))


main()
