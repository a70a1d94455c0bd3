"""A client of the hyperstart protocol, made of struct and json only: as it goes over the wire (docs/hyperstart.md)."""
import json
import select
import socket
import struct
import time

GETVERSION, STARTPOD, DESTROYPOD, EXECCMD, READY, ACK, ERROR, WINSIZE, PING = 0, 1, 4, 6, 8, 9, 10, 11, 12
NEXT, WRITEFILE, READFILE, NEWCONTAINER, KILLCONTAINER, ONLINECPUMEM = 14, 15, 16, 17, 18, 19
SETUPINTERFACE, SETUPROUTE, REMOVECONTAINER, PROCESSASYNCEVENT = 20, 21, 22, 23
SIGNALPROCESS, DELETEINTERFACE = 24, 25

DEADLINE_S = 20


class Refused(Exception):
    """The agent's answer was ERROR."""


class Left(Exception):
    """The agent closed a channel."""


class Channel:
    """One socket: whole frames, each with a header whose last field is the frame's length."""

    def __init__(self, path, header):
        self.header = struct.Struct(header)
        self.data = b""
        self.ended = False
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(str(path))

    def send(self, number, payload):
        self.socket.sendall(self.header.pack(number, self.header.size + len(payload)) + payload)

    def frame(self):
        """The next one, (number, payload), if it has come; None if more is to be read for it."""
        if len(self.data) < self.header.size:
            return None
        number, length = self.header.unpack_from(self.data)
        if len(self.data) < length:
            return None
        payload, self.data = self.data[self.header.size:length], self.data[length:]
        return number, payload

    def read(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.data += data
        self.ended = not data


class Client:
    """Both channels. What comes is sorted: answers, output by sequence, exit statuses, events, acknowledged bytes."""

    def __init__(self, ctl, io):
        self.ctl, self.io = Channel(ctl, "!II"), Channel(io, "!QI")
        self.answers, self.events = [], []
        self.output, self.finished, self.statuses = {}, set(), {}
        self.ready = False
        self.sent = self.acknowledged = 0  # bytes on the control channel
        self.sequence = 0

    def close(self):
        self.ctl.socket.close()
        self.io.socket.close()

    # ---- what comes ----

    def _take_ctl(self, code, payload):
        if code == NEXT:
            self.acknowledged += struct.unpack("!I", payload)[0]
        elif code == READY:
            self.ready = True
        elif code == PROCESSASYNCEVENT:
            self.events.append(json.loads(payload))
        else:
            self.answers.append((code, payload))

    def _take_io(self, sequence, payload):
        if sequence in self.finished:
            self.statuses[sequence] = payload[0]
        elif payload:
            self.output[sequence] = self.output.get(sequence, b"") + payload
        else:
            self.finished.add(sequence)

    def wait(self, condition, deadline_s=DEADLINE_S):
        """Reads until condition() holds."""
        end = time.monotonic() + deadline_s
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not within {deadline_s} s; answers {self.answers}, output {self.output}, events {self.events}")
            alive = [channel for channel in (self.ctl, self.io) if not channel.ended]
            if not alive:
                raise Left(f"answers {self.answers}")
            ready, _, _ = select.select([channel.socket for channel in alive], [], [], left)
            for channel in alive:
                if channel.socket in ready:
                    channel.read()
                take = self._take_ctl if channel is self.ctl else self._take_io
                while (frame := channel.frame()):
                    take(*frame)

    def wait_end(self):
        """Both channels are closed by the other side."""
        self.wait(lambda: self.ctl.ended and self.io.ended)

    def wait_ready(self):
        self.wait(lambda: self.ready)
        return self

    # ---- what is said ----

    def send(self, code, message=b""):
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.ctl.send(code, payload)
        self.sent += self.ctl.header.size + len(payload)

    def command(self, code, message=b""):
        """Sends one and returns the payload of its ACK."""
        self.send(code, message)
        self.wait(lambda: self.answers)
        code, payload = self.answers.pop(0)
        if code != ACK:
            raise Refused(payload.decode(errors="replace"))
        return payload

    # ---- processes ----

    def start(self, container, *words, code=NEWCONTAINER, **process):
        """Starts one; its streams' sequences are (n, n + 1)."""
        stdio = self.sequence + 1
        self.sequence += 2
        message = {"id" if code == NEWCONTAINER else "container": container,
                   "process": {"args": list(words), "stdio": stdio, "stderr": stdio + 1, **process}}
        self.command(code, message)
        return stdio

    def feed(self, stdio, data):
        """Standard input; nothing is its end."""
        self.io.send(stdio, data)

    def end_of(self, stdio):
        """Waits for it: (exit status, output, errors)."""
        self.wait(lambda: stdio in self.statuses)
        return self.statuses[stdio], self.output.get(stdio, b""), self.output.get(stdio + 1, b"")

    def run(self, *words, **process):
        """A command in the pod, to its end."""
        return self.end_of(self.start(f"c{self.sequence}", *words, **process))
