"""Captures what goes over a device of a machine of the lab, and reads it: as much of it as the tests ask for."""
import collections
import re
import socket
import struct

ETH_P_ALL, SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, PACKET_STATISTICS = 3, 263, 1, 1, 6
SO_RCVBUFFORCE = 33
BUFFER = 64 << 20

# kind: arp, udp, icmp, ip (any other), other; for ARP source and target are those that it speaks of.
Frame = collections.namedtuple("Frame", "kind mac source target port payload operation")


def address(data):
    return socket.inet_ntoa(data)


def dissect(data):
    mac, kind = data[6:12].hex(":"), struct.unpack("!H", data[12:14])[0]
    if kind == 0x0806 and len(data) >= 42:
        return Frame("arp", mac, address(data[28:32]), address(data[38:42]), None, b"",
                     struct.unpack("!H", data[20:22])[0])
    if kind != 0x0800 or len(data) < 34:
        return Frame("other", mac, None, None, None, data[14:], None)
    header = (data[14] & 15) * 4
    source, target, protocol = address(data[26:30]), address(data[30:34]), data[23]
    payload = data[14 + header:struct.unpack("!H", data[16:18])[0] + 14]
    if protocol == 17 and len(payload) >= 8:
        return Frame("udp", mac, source, target, struct.unpack("!H", payload[2:4])[0], payload[8:], None)
    return Frame("icmp" if protocol == 1 else "ip", mac, source, target, None, payload, None)


class Tap:
    """Holds its frames in the socket until they are asked for: it needs no thread."""

    def __init__(self, machine, device):
        self.socket = machine.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        index = machine.inside(lambda: socket.if_nametoindex(device))
        self.socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack("iHH8s", index, PACKET_MR_PROMISC, 0, b""))
        machine.inside(lambda: self.socket.bind((device, ETH_P_ALL)))
        self.socket.setblocking(False)
        self.seen = []

    def frames(self):
        """All of them since the beginning; that none was lost is checked each time."""
        while True:
            try:
                self.seen.append(dissect(self.socket.recv(65535)))
            except BlockingIOError:
                break
        _, dropped = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        assert dropped == 0, f"the capture has lost {dropped} frames"
        return self.seen

    def requests(self, method):
        """SIP requests: (source, target, branch of the topmost Via, Call-ID)."""
        found = []
        for frame in self.frames():
            if frame.kind == "udp" and frame.payload.startswith(method.encode() + b" "):
                branch = re.search(rb"branch=([^;\s]+)", frame.payload)
                call = re.search(rb"(?mi)^Call-ID:\s*(\S+)", frame.payload)
                found.append((frame.source, frame.target, branch and branch[1].decode(), call and call[1].decode()))
        return found

    def close(self):
        self.socket.close()
