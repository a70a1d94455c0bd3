#!/usr/bin/env -S python3 -B
"""Makes the captures of this folder, packet by packet, so that it can be read what is in them: make.py [FOLDER]"""
import ipaddress
import struct
import sys
from pathlib import Path

ALICE, BOB = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")
BEGIN_NS = 1700000000 * 10**9
ETHERNET, COOKED = 1, 113


# ---- layers ----

def ethernet(kind, payload, tags=(), source=ALICE, target=BOB):
    """`tags`: (TPID, VLAN identifier), the outermost first."""
    return (target + source + b"".join(struct.pack("!HH", tpid, 5 << 13 | vlan) for tpid, vlan in tags) +
            struct.pack("!H", kind) + payload)


def ipv4(payload, protocol=17, total=None, words=5, fragment=0):
    return struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, total if total is not None else 20 + len(payload), 1, fragment, 64,
                       protocol, 0, b"\x0a\0\0\x01", b"\x0a\0\0\x02") + payload


def ipv6(payload, protocol=17, options=False):
    """`options`: with a hop-by-hop header before the payload."""
    payload = (struct.pack("!BB6x", protocol, 0) if options else b"") + payload
    return (struct.pack("!IHBB", 6 << 28, len(payload), 0 if options else protocol, 64) +
            ipaddress.ip_address("fd00::1").packed + ipaddress.ip_address("fd00::2").packed + payload)


def udp(payload, source=5061, target=5060, length=None):
    return struct.pack("!HHHH", source, target, length if length is not None else 8 + len(payload), 0) + payload


def tcp(payload, source=5061, target=5060):
    return struct.pack("!HHIIBBHHH", source, target, 1, 1, 5 << 4, 0x18, 8192, 0, 0) + payload


def sip(first, method, body=""):
    lines = [first, "Via: SIP/2.0/UDP 10.0.0.1:5061;branch=z9hG4bK1", "From: Alice <sip:alice@10.0.0.1>;tag=1",
             "To: Bob <sip:bob@10.0.0.2>", "Call-ID: 42@10.0.0.1", f"CSeq: 1 {method}", f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


def rtp(number, kind=8):
    return struct.pack("!BBHII", 0x80, kind, number, number * 160, 0x1234) + b"\xd5" * 160


RTCP = struct.pack("!BBHIIIIII", 0x80, 200, 6, 0x1234, 0, 0, 0, 30, 4800)
INVITE = sip("INVITE sip:bob@10.0.0.2 SIP/2.0", "INVITE", "v=0\r\nm=audio 4000 RTP/AVP 8\r\n")
RINGING, OK = (sip(f"SIP/2.0 {status}", "INVITE") for status in ("180 Ringing", "200 OK"))


def back(payload):
    return ethernet(0x0800, ipv4(udp(payload, 5060, 5061)), source=BOB, target=ALICE)


def forth(payload):
    return ethernet(0x0800, ipv4(udp(payload)))


# ---- files: packets are (milliseconds from the beginning, frame[, bytes of it that are captured]) ----

def times(packets):
    for ms, frame, *captured in packets:
        yield BEGIN_NS + int(ms * 10**6), frame[:captured[0]] if captured else frame, len(frame)


def pcap(packets, link=ETHERNET):
    """In microseconds."""
    return struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link) + b"".join(
        struct.pack("<IIII", ns // 10**9, ns % 10**9 // 1000, len(data), length) + data
        for ns, data, length in times(packets))


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def pcapng(packets):
    """In nanoseconds, the packets of two interfaces in turn."""
    interface = block(1, struct.pack("<HHI", ETHERNET, 0, 65535) + struct.pack("<HHB3xHH", 9, 1, 9, 0, 0))
    return block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)) + interface * 2 + b"".join(
        block(6, struct.pack("<IIIII", number % 2, ns >> 32, ns & 0xffffffff, len(data), length) + data)
        for number, (ns, data, length) in enumerate(times(packets)))


# ---- the captures ----

def call():
    """A call of alice's with 30 packets of RTP, every 20 ms, and one of RTCP."""
    media = [(500 + 20 * n, ethernet(0x0800, ipv4(udp(rtp(n), 4001, 4000)))) for n in range(30)]
    return [(0, forth(INVITE)), (1, back(sip("SIP/2.0 100 Trying", "INVITE"))), (100, back(RINGING)), (400, back(OK)),
            (410, forth(sip("ACK sip:bob@10.0.0.2 SIP/2.0", "ACK"))), *media,
            (1090, ethernet(0x0800, ipv4(udp(RTCP, 4002, 4001)))),
            (6500, forth(sip("BYE sip:bob@10.0.0.2 SIP/2.0", "BYE"))), (6510, back(sip("SIP/2.0 200 OK", "BYE")))]


def tags():
    """None, 802.1Q, 802.1ad with 802.1Q in it, the tag 0, three of them, and one that is cut off."""
    datagram = ipv4(udp(INVITE))
    return [(0, ethernet(0x0806, bytes(28))), (100, ethernet(0x0800, datagram, [(0x8100, 102)])),
            (200, ethernet(0x0800, datagram, [(0x88a8, 7), (0x8100, 8)])),
            (300, ethernet(0x0800, datagram, [(0x8100, 0)])),
            (400, ethernet(0x0800, datagram, [(0x9100, 1), (0x8100, 2), (0x8100, 4095)])),
            (500, ethernet(0x0800, datagram, [(0x8100, 103)]), 15)]


def odd():
    """What is cut off, and what lies about its lengths."""
    return [(0, forth(INVITE), 60), (10, forth(INVITE), 8), (20, forth(INVITE), 36),
            (30, ethernet(0x0800, ipv4(udp(INVITE), total=65535))),  # as if it were longer than the frame
            (40, ethernet(0x0800, ipv4(udp(INVITE), total=10))),     # shorter than its header
            (50, ethernet(0x0800, ipv4(b"", words=15))),             # options behind the end
            (60, ethernet(0x0800, ipv4(udp(INVITE), words=4))),
            (70, ethernet(0x0800, ipv4(udp(OK, length=4)))),         # shorter than its header
            (80, ethernet(0x0800, ipv4(udp(OK, length=65535)))),
            (90, ethernet(0x0800, ipv4(udp(OK), fragment=100))),     # not the first
            (100, ethernet(0x0800, b"")), (110, ethernet(0x86dd, ipv6(b"")[:20])), (120, b"")]


def version6():
    return [(0, ethernet(0x86dd, ipv6(udp(INVITE)))), (50, ethernet(0x86dd, ipv6(udp(OK), options=True))),
            (100, ethernet(0x86dd, ipv6(tcp(RINGING), 6)))]


def cooked():
    """As of the interface "any"."""
    return [(ms, struct.pack("!HHH8sH", 4, 1, 6, ALICE, 0x0800) + ipv4(udp(payload)))
            for ms, payload in ((0, INVITE), (5, OK))]


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    for name, data in (("call.pcap", pcap(call())), ("tags.pcapng", pcapng(tags())), ("odd.pcap", pcap(odd())),
                       ("ipv6.pcap", pcap(version6())), ("cooked.pcap", pcap(cooked(), COOKED)), ("empty.pcap", pcap([])),
                       ("broken.pcap", pcap(call())[:3000])):
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
