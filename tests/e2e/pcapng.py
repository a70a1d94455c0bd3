"""A reader of pcapng files: as much of the format as a capture of sippod's is made of, and strict about it."""
import ipaddress
import struct

SECTION, INTERFACE, NAMES, STATISTICS, PACKET, SECRETS = 0x0A0D0D0A, 1, 4, 5, 6, 10
IPV4, IPV6 = 1, 2
TLS_KEY_LOG = 0x544C534B
OPTION_NAME, OPTION_RESOLUTION, OPTION_DROPPED = 2, 9, 5
ETHERNET = 1


class Packet:
    def __init__(self, interface, time_ns, length, data):
        self.interface, self.time_ns, self.length, self.data = interface, time_ns, length, data

    @property
    def udp(self):
        """(source, source port, destination, destination port, payload) of UDP in IP on an Ethernet; else None."""
        kind, ip = self.data[12:14], self.data[14:]
        if kind == b"\x08\x00" and ip[9] == 17:
            addresses, header = (ip[12:16], ip[16:20]), (ip[0] & 15) * 4
        elif kind == b"\x86\xdd" and ip[6] == 17:
            addresses, header = (ip[8:24], ip[24:40]), 40
        else:
            return None
        source, destination = (str(ipaddress.ip_address(address)) for address in addresses)
        ports = struct.unpack(">HHH", ip[header:header + 6])
        return source, ports[0], destination, ports[1], ip[header + 8:header + ports[2]]


class Capture:
    """interfaces: their names. packets. dropped: by interface, as the statistics blocks say it. names: [(address,
    name)]. secrets: the TLS keys, a text for each block."""

    def __init__(self, path):
        data = path.read_bytes()
        self.interfaces, self.packets, self.dropped = [], [], {}
        self._resolution = []
        self.names, self.secrets = [], []
        self.blocks = []
        while data:
            kind, length = struct.unpack("<II", data[:8])
            if length % 4 or length < 12 or len(data) < length or data[length - 4:length] != data[4:8]:
                raise ValueError(f"block {len(self.blocks)} is cut off, or its two lengths differ")
            if not self.blocks and (kind != SECTION or data[8:12] != b"\x4d\x3c\x2b\x1a"):
                raise ValueError("the file does not begin with a section header")
            self.blocks.append(kind)
            self._take(kind, data[8:length - 4])
            data = data[length:]

    def _take(self, kind, body):
        if kind == INTERFACE:
            if struct.unpack("<H", body[:2])[0] != ETHERNET:
                raise ValueError("an interface that is no Ethernet")
            options = dict(read_options(body[8:]))
            self.interfaces.append(options[OPTION_NAME].decode())
            self._resolution.append(options.get(OPTION_RESOLUTION, b"\x06")[0])
        elif kind == PACKET:
            interface, high, low, captured, length = struct.unpack("<IIIII", body[:20])
            if interface >= len(self.interfaces):
                raise ValueError("a packet before its interface")
            stamp = (high << 32 | low) * 10 ** (9 - self._resolution[interface])
            self.packets.append(Packet(self.interfaces[interface], stamp, length, body[20:20 + captured]))
        elif kind == STATISTICS:
            interface = struct.unpack("<I", body[:4])[0]
            self.dropped[self.interfaces[interface]] = struct.unpack(
                "<Q", dict(read_options(body[12:]))[OPTION_DROPPED])[0]
        elif kind == NAMES:
            for record, value in read_options(body):
                size = {IPV4: 4, IPV6: 16}[record]
                address = str(ipaddress.ip_address(value[:size]))
                self.names += [(address, name.decode()) for name in value[size:-1].split(b"\0")]
        elif kind == SECRETS:
            secret, length = struct.unpack("<II", body[:8])
            if secret != TLS_KEY_LOG:
                raise ValueError("secrets that are no TLS keys")
            self.secrets.append(body[8:8 + length].decode())


def read_options(data):
    while len(data) >= 4:
        code, length = struct.unpack("<HH", data[:4])
        if code == 0:
            return
        yield code, data[4:4 + length]
        data = data[4 + (length + 3) // 4 * 4:]
