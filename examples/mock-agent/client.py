"""A client of the hyperstart protocol, as small as can be: what is tested here."""
import json
import socket
import struct

STARTPOD, ACK, ERROR, NEWCONTAINER = 1, 9, 10, 17


class Refused(Exception):
    """The agent's answer was an ERROR, with these words."""


class Channel:
    """Messages that are a number, a length and a payload."""

    def __init__(self, path, header, timeout):
        self.header = struct.Struct(header)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)

    def send(self, number, payload):
        self.socket.sendall(self.header.pack(number, self.header.size + len(payload)) + payload)

    def _take(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise ConnectionError("the agent has left")
            data += more
        return data

    def receive(self):
        number, length = self.header.unpack(self._take(self.header.size))
        return number, self._take(length - self.header.size)


class Client:
    def __init__(self, ctl, io, timeout=5):
        self.ctl, self.io = Channel(ctl, "!II", timeout), Channel(io, "!QI", timeout)

    def close(self):
        self.ctl.socket.close()
        self.io.socket.close()

    def command(self, code, message):
        self.ctl.send(code, json.dumps(message).encode())
        while True:  # all but the answer is passed over: what was read, news
            answer, payload = self.ctl.receive()
            if answer == ACK:
                return payload
            if answer == ERROR:
                raise Refused(payload.decode())

    def run(self, container, *words):
        """Runs a command to its end: (exit status, output)."""
        self.command(NEWCONTAINER, {"id": container, "process": {"args": words, "stdio": 1, "stderr": 2}})
        output, ended = b"", False
        while True:
            stream, payload = self.io.receive()
            if stream != 1:
                continue
            if ended:
                return payload[0], output
            output += payload
            ended = not payload
