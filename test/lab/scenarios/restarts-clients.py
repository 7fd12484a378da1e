"""`serve` accepts MPTCP connections; `connect FILE` opens one every 10 ms until SIGINT, and counts those whose second subflow
was refused. Each has a second to get it."""
import collections
import json
import signal
import socket
import sys
import threading
import time

IPPROTO_MPTCP = 262
# include/uapi/linux/mptcp.h
SOL_MPTCP, MPTCP_INFO = 284, 1
SERVER = ("192.0.2.1", 1194)
WAIT_S = 1


def serve():
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(SERVER)
    listener.listen(1024)

    def answer(connection):
        with connection:
            # data in both directions: the client joins only an established connection
            while data := connection.recv(100):
                connection.sendall(data)

    while True:
        threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()


def connect(path):
    waiting = collections.deque()
    counts = {"connections": 0, "refused": 0}
    ended = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: ended.set())

    def judge(opened):
        # its first byte: the number of subflows beside the first one
        further = opened.getsockopt(SOL_MPTCP, MPTCP_INFO, 8)[0]
        counts["connections"] += 1
        counts["refused"] += further == 0
        opened.close()

    while not ended.is_set() or waiting:
        if not ended.is_set():
            opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
            opened.connect(SERVER)
            opened.sendall(b"hello")
            opened.recv(100)
            waiting.append((time.monotonic() + WAIT_S, opened))
        while waiting and waiting[0][0] < time.monotonic():
            judge(waiting.popleft()[1])
        time.sleep(0.01)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(counts, file)


if sys.argv[1] == "serve":
    serve()
else:
    connect(sys.argv[2])
