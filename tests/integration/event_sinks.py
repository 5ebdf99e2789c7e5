"""Stand-ins for the readers of events: a journal and a syslog daemon that keep what they are sent."""

import base64
import os
import re
import socket
import threading


class Receiver:
    """Keeps every datagram that is sent to a socket of that name."""

    def __init__(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.datagrams = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while datagram := self.socket.recv(1 << 18):
            self.datagrams.append(datagram)

    def close(self):
        self.socket.shutdown(socket.SHUT_RD)
        self.thread.join(10)
        self.socket.close()


def journal_fields(datagram):
    """The fields of one record in the journal's native protocol, as bytes."""
    fields = {}
    while datagram:
        end = min(at for at in (datagram.find(b"="), datagram.find(b"\n")) if at >= 0)
        name, sized, datagram = datagram[:end].decode(), datagram[end:end + 1] == b"\n", datagram[end + 1:]
        if sized:
            size, datagram = int.from_bytes(datagram[:8], "little"), datagram[8:]
        else:
            size = datagram.index(b"\n")
        assert name not in fields and datagram[size:size + 1] == b"\n", name
        fields[name], datagram = datagram[:size], datagram[size + 1:]
    return fields


def syslog_fields(datagram):
    """The structured data of one RFC 5424 message; where NAME_b64 is given, NAME has those bytes."""
    text = datagram.decode()  # it must be UTF-8
    assert re.match(r"<\d+>1 \S+Z \S+ picketd \d+ [a-z._]+ \[picket@32473 ", text), text[:200]
    fields = {name: re.sub(r'\\(["\\\]])', r"\1", value).encode()
              for name, value in re.findall(r' ([a-z0-9_]+)="((?:[^"\\\]]|\\["\\\]])*)"', text)}
    for name in [name for name in fields if name.endswith("_b64")]:
        fields[name[:-4]] = base64.b64decode(fields.pop(name))
    return fields
