"""Runs in a pod, with net_admin and net_raw there, and tries to reach what it must not.

Usage: leak.py plain|around DUT OWN TARGET…

Everything that it sends holds LEAK, how it was sent and by whom; to the DUT, by plain UDP from its own address, it sends
FINE. Then it makes the file `sent`, waits for the file `go`, and prints what datagrams (port 9999) have come.
"""
import os
import shlex
import socket
import struct
import subprocess
import sys
import time

PORT = 9999
ETH_P_ALL = 3
ROUTER = "169.254.1.1"


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False).stdout


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def packet(source, target, text, options=b"", protocol=17):
    """An IPv4 packet; the checksum of UDP is left out, which is allowed."""
    payload = struct.pack("!HHHH", PORT, PORT, 8 + len(text), 0) + text if protocol == 17 else text
    length = 20 + len(options)
    header = struct.pack("!BBHHHBBH4s4s", 0x40 + length // 4, 0, length + len(payload), 1, 0, 64, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(target)) + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def mac_after(word, text):
    return bytes.fromhex(text.split(f"{word} ")[1].split()[0].replace(":", ""))


def mac_of(device):
    return mac_after("link/ether", ip("link", "show", device))


def attempt(function):
    """What fails here has not leaked."""
    try:
        function()
    except OSError:
        pass


def plainly(own, targets):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for target in targets:
            attempt(lambda t=target: sender.sendto(f"LEAK plain {own}".encode(), (t, PORT)))
    for target in targets:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as caller:
            caller.setblocking(False)
            attempt(lambda t=target: caller.connect((t, 5060)))


def frames(dut, own, targets, others, device="eth0", how=""):
    """Past the pod's own routing: straight to the other end of the link, and to everybody on it."""
    far = mac_after("lladdr", ip("neigh", "show", ROUTER, "dev", "eth0")) if device == "eth0" else mac_of("v1")
    near = mac_of(device)
    route = bytes([131, 7, 4])  # loose source route: by way of the DUT to somebody else
    everybody = b"\xff" * 6
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind((device, ETH_P_ALL))

        def send(kind, data, to=far):
            attempt(lambda: sender.send(to + near + struct.pack("!H", kind) + data))

        def leak(what):
            return f"LEAK {how}{what} {own}".encode()
        for target in targets:
            send(0x0800, packet(own, target, leak("frame")))
            send(0x0800, packet(own, target, leak("broadcast frame")), everybody)
            send(0x0800, packet(own, target, b"\x08\0\0\0\0\1\0\1" + leak("echo"), protocol=1))
            send(0x0800, packet(own, dut, leak("source route"), route + socket.inet_aton(target) + b"\0"))
            send(0x8100, struct.pack("!HH", 1, 0x0800) + packet(own, target, leak("VLAN")))
            send(0x0806, struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, near, socket.inet_aton(target), b"\0" * 6,
                                     socket.inet_aton(dut)) + leak("ARP"), everybody)
        for source in (*targets, *others):
            send(0x0800, packet(source, dut, leak("spoofed")))
        send(0x86dd, struct.pack("!IHBB", 6 << 28, 40, 59, 64) + b"\xfe" + b"\x80" * 15 + b"\xff\x02" + b"\0" * 13 + b"\1" +
             leak("IPv6").ljust(40), everybody)


def add_routes(targets, others):
    ip("addr", "add", f"{others[0]}/32", "dev", "eth0")
    ip("route", "replace", "default", "via", ROUTER, "dev", "eth0", "onlink")
    for target in targets:
        ip("route", "replace", f"{target}/32", "via", ROUTER, "dev", "eth0", "onlink")


def go_around(settings):
    """By way of an ifb device, which marks what it sends on as not to be classified again. What goes out over eth0 comes back
    out of the ifb device to eth0, and must not meet the filter here a second time: so it is what came in over v1 first."""
    commands = ("ip link add v0 type veth peer name v1", "ip link set v0 up", "ip link set v1 up",
                "ip link add ifb7 type ifb", "ip link set ifb7 up", "tc qdisc add dev eth0 clsact",
                "tc filter add dev eth0 egress u32 match u32 0 0 indev v1 action mirred egress redirect dev ifb7")
    commands += tuple(f"sh -c 'echo {value} >/proc/sys/net/{setting}'" for setting, value in settings)
    return all(subprocess.run(shlex.split(command), stdout=sys.stderr, check=False).returncode == 0 for command in commands)


def receive(receiver):
    while True:
        try:
            text, source = receiver.recvfrom(2000)
            print(source[0], text.decode(errors="replace"))
        except BlockingIOError:
            return


def main():
    how, dut, own, *targets = sys.argv[1:]
    # The first is of the DUT's network, as are those that are drawn for UAs: the own one is not spoofed.
    others = ["10.22.22.250" if own != "10.22.22.250" else "10.22.22.251", "192.0.2.1", "127.0.0.1", "0.0.0.0"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("", PORT))
        receiver.setblocking(False)
        if how == "around":
            add_routes(targets, others)
            if go_around((("ipv4/ip_forward", 1), ("ipv4/conf/all/rp_filter", 0), ("ipv4/conf/v1/rp_filter", 0),
                          ("ipv4/conf/v1/accept_local", 1))):
                frames(dut, own, targets, others, "v0", "around ")
                with open("around", "w", encoding="ascii"):
                    pass
        else:
            for _ in range(2):  # as it is, then with routes of its own
                plainly(own, targets)
                frames(dut, own, targets, others)
                add_routes(targets, others)
        receiver.sendto(b"FINE", (dut, PORT))
        with open("sent", "w", encoding="ascii"):
            pass
        while not os.path.exists("go"):
            time.sleep(0.01)
        receive(receiver)


if __name__ == "__main__":
    main()
