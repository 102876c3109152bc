# SPDX-License-Identifier: Apache-2.0
"""A websocket on a member's unix socket whose every frame, and whose end, the test decides."""

import base64
import os
import socket
import struct

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


class WebSocket:
    def __init__(self, member, path, timeout=30):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(str(member.dir / "unix.socket"))
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall((f"GET {path} HTTP/1.1\r\nHost: dunlin\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                           f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.input = self.sock.makefile("rb")
        self.status = int(self.input.readline().split()[1])
        while self.input.readline().strip():
            pass

    def send(self, opcode, data=b""):
        assert len(data) < 65536
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.sock.sendall(bytes([0x80 | opcode]) + size + bytes(4) + data)

    def receive(self):
        """(opcode, bytes); None at the end of the connection."""
        head = self.input.read(2)
        if len(head) < 2:
            return None
        size = head[1] & 0x7f
        if size == 126:
            size, = struct.unpack(">H", self.input.read(2))
        elif size == 127:
            size, = struct.unpack(">Q", self.input.read(8))
        return head[0] & 0xf, self.input.read(size)

    def read_stream(self):
        """What comes until the end of the stream."""
        data = b""
        while (message := self.receive()) and message[0] != CLOSE and message != (TEXT, b""):
            if message[0] == BINARY:
                data += message[1]
        return data

    def close(self):
        """With a close frame."""
        self.send(CLOSE, struct.pack(">H", 1000))
        self.drop()

    def drop(self):
        """As a client that was killed."""
        self.input.close()
        self.sock.close()
