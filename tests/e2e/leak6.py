"""Runs in a pod, as leak.py, and sends by the way round its filter, over IPv6.

Usage: leak6.py OWN SOURCE,… TARGET…

To each target: ROUND from its own address, and LEAK with the sources of others. Makes the file `around` if the kernel has what
the way takes, and then the file `sent`.
"""
import os
import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from leak import PORT, checksum, go_around, ip, mac_of  # pylint: disable=wrong-import-position

ROUTER = "fe80::1"


def packet(source, target, text):
    addresses = b"".join(socket.inet_pton(socket.AF_INET6, address) for address in (source, target))
    datagram = struct.pack("!HHHH", PORT, PORT, 8 + len(text), 0) + text
    total = checksum(addresses + struct.pack("!II", len(datagram), socket.IPPROTO_UDP) + datagram + b"\0" * (len(text) % 2))
    return (struct.pack("!IHBB", 6 << 28, len(datagram), socket.IPPROTO_UDP, 64) + addresses + datagram[:6] +
            struct.pack("!H", total) + datagram[8:])


def main():
    own, sources, *targets = sys.argv[1:]
    for target in targets:
        ip("-6", "route", "replace", f"{target}/128", "via", ROUTER, "dev", "eth0", "onlink")
    if go_around((("ipv6/conf/all/forwarding", 1), ("ipv6/conf/v1/forwarding", 1))):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
            sender.bind(("v0", 0))
            for target in targets:
                for source, word in ((own, "ROUND"), *((source, "LEAK") for source in sources.split(","))):
                    sender.send(mac_of("v1") + mac_of("v0") + b"\x86\xdd" + packet(source, target, word.encode()))
        Path("around").touch()
    Path("sent").touch()


main()
