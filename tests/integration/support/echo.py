"""`telltale echo`: a backend that shows what it was told."""

import signal

from .process import Process
from .sockets import parse_address
from .telltale import ENVIRONMENT
from .waiting import binary_path


class Echo:
    def __init__(self, *arguments, listen="127.0.0.1:0"):
        self._lost = False
        argv = [binary_path(), "echo", "--listen", listen, *arguments]
        self.process = Process(argv, env=ENVIRONMENT)
        try:
            self.address = self.process.stdout.wait_line(r"listening on (\S+)")[1]
        except AssertionError:
            self.process.kill()
            raise

    @property
    def sockname(self):
        return parse_address(self.address)

    @property
    def port(self) -> int:
        return self.sockname[1]

    def __enter__(self):
        return self

    def lost(self):
        """It was killed on purpose."""
        self._lost = True
        self.process.kill()

    def __exit__(self, *_):
        if self._lost:
            return
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait()
        if status != 0:
            raise AssertionError(f"echo ended with {status}:\n{self.process.stderr.text()}")
