# SPDX-License-Identifier: Apache-2.0
"""A command on a terminal of its own, as a person would run it."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time


class Terminal:
    def __init__(self, argv, env, rows=24, columns=80):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.process = subprocess.Popen([str(a) for a in argv], env=env, stdin=slave, stdout=slave, stderr=slave,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.output = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        """Key by key: lxc looks for <ctrl>+a and for q only where a read begins."""
        for key in text.encode():
            os.write(self.master, bytes([key]))
            time.sleep(0.05)

    def read(self, timeout):
        """Whatever comes within the time; False at the end."""
        if not select.select([self.master], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.output += data
        return bool(data)

    def expect(self, text, timeout=60):
        deadline = time.monotonic() + timeout
        while text.encode() not in self.output:
            if time.monotonic() > deadline or not self.read(0.1):
                raise AssertionError(f"{text!r} was not shown: {self.output.decode(errors='replace')}")
        self.output = self.output.split(text.encode(), 1)[1]

    def finish(self, timeout=60):
        """The exit status, once all output has been read."""
        deadline = time.monotonic() + timeout
        while self.read(0.1) and self.process.poll() is None:
            if time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"it did not end: {self.output.decode(errors='replace')}")
        return self.process.wait(timeout)

    def detach_console(self):
        """Ctrl-a q as a person presses it: lxc looks only at the first key of what it reads at once."""
        for key in ("\x01", "q") * 20:
            self.type(key)
            if not self.read(0.2) or self.process.poll() is not None:
                break
        return self.finish()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
