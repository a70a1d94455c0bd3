"""A DNS client. Its source stands alone, so that a test can start it in a pod, too."""
import socket
import struct
from pathlib import Path

TYPES = {"A": 1, "AAAA": 28, "SRV": 33, "TXT": 16, "PTR": 12}


def query(kind, name, how="udp", address="127.0.0.1", edns=0, port=53, patience=5):  # pylint: disable=too-many-arguments
    """(response code, number of answers, flags, what was answered)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    text = struct.pack(">6H", 7, 0x100, 1, 0, 0, bool(edns)) + labels + struct.pack(">B2H", 0, TYPES[kind], 1)
    if edns:
        text += struct.pack(">B2HIH", 0, 41, edns, 0, 0)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if how == "udp" else socket.SOCK_STREAM) as client:
        client.settimeout(patience)
        client.connect((address, port))
        if how == "udp":
            client.send(text)
            answer = client.recv(65535)
        else:
            client.sendall(struct.pack(">H", len(text)) + text)
            stream = client.makefile("rb")
            answer = stream.read(struct.unpack(">H", stream.read(2))[0])
    flags, _, count = struct.unpack(">3H", answer[2:8])
    return flags & 15, count, "tc" if flags & 0x200 else "whole", "same" if labels in answer else "changed", answer


def ask(kind, name, how="udp", address="127.0.0.1", edns=0):
    """Prints TYPE NAME, how, response code, number of answers, whether it is whole and repeats the name."""
    rcode, count, whole, same, _ = query(kind, name, how, address, edns)
    print(kind, name, how, "rcode", rcode, "answers", count, whole, same, flush=True)


def source():
    return Path(__file__).read_text(encoding="ascii")
