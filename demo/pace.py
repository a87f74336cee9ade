"""Numbered UDP packets at a steady pace, and a receiver that knows which ones are missing."""

from __future__ import annotations

import socket
import struct
import sys
import time

_PORT = 9000
_NUMBER = struct.Struct("!Q")
_LAST = (1 << 64) - 1
_SILENCE = 5.0
"""Seconds without a packet after which the receiver gives up."""


def send(address: str, rate: int, seconds: float) -> None:
    """Send `rate` packets a second; the last ones say that it is over."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        count = int(rate * seconds)
        began = time.monotonic()
        for number in range(count):
            sender.sendto(_NUMBER.pack(number), (address, _PORT))
            wait = began + (number + 1) / rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
        for _ in range(3):
            sender.sendto(_NUMBER.pack(_LAST), (address, _PORT))
            time.sleep(0.02)
    print(count)


def receive() -> None:
    """Print how many packets came, how many came twice, and the longest gap in milliseconds."""
    seen: set[int] = set()
    twice = 0
    longest, last = 0.0, 0.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        receiver.bind(("", _PORT))
        receiver.settimeout(60)
        print("listening", flush=True)
        while True:
            try:
                (number,) = _NUMBER.unpack(receiver.recv(64))
            except TimeoutError:
                break
            now = time.monotonic()
            receiver.settimeout(_SILENCE)
            if number == _LAST:
                break
            longest = max(longest, now - last) if last else longest
            last = now
            twice += number in seen
            seen.add(number)
    print(len(seen), twice, round(longest * 1000, 1))


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    else:
        receive()
