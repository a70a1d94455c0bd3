"""The same as test_rewriter.c, in Python: by `sippod expect --json`. For pytest, and for python3 -m unittest."""
import json
import socket
import struct
import subprocess
import sys
import unittest


def datagram(port):
    """From 10.1.0.2 to 10.2.0.2, by way of the device."""
    header = struct.pack("!BBHHHBBH4B4B", 0x45, 0, 32, 1, 0, 64, 17, 0, 10, 1, 0, 2, 10, 2, 0, 2)
    total = sum(struct.unpack("!10H", header))
    checksum = ~((total & 0xffff) + (total >> 16)) & 0xffff
    return (bytes.fromhex("020000000001" "020000000002" "0800") + header[:10] + struct.pack("!H", checksum) + header[12:] +
            struct.pack("!4H", 5069, port, 12, 0) + b"ping")


def send(port, count):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packets:
        packets.bind(("lan0", 0))
        for _ in range(count):
            packets.send(datagram(port))


def expect(predicate, *options, port, count=1):
    """What comes of it on the device's other side while it is sent something."""
    run = subprocess.run(["sippod", "expect", "--json", "-i", "wan0", *options, predicate, "--",
                          sys.executable, __file__, str(port), str(count)], stdout=subprocess.PIPE, check=False)
    return json.loads(run.stdout)["expectations"][0]


class Rewriter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run(["sh", "./rewriter.sh"], check=True)

    def check(self, told):
        self.assertIs(told["value"], True, told["detail"])

    def test_rewrites(self):
        self.check(expect("and(saw_filter(udp dst port 5060 and ip[1] = 0xb8 and ip[8] = 63), saw_dst_mac(02:00:00:00:00:22))",
                          port=5070))

    def test_loses_none(self):
        self.check(expect("packet_count_was(42)", "--filter", "udp dst port 5060", "--settle", "0.5", port=5070, count=42))

    def test_drops(self):
        self.check(expect("did_not_see_filter(udp dst port 9)", "--settle", "0.5", port=9))


if __name__ == "__main__":
    send(*map(int, sys.argv[1:]))
