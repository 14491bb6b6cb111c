"""A real peer program."""

import os
import signal
import tempfile

from . import sockets
from .process import Process, find_program


class Peer:
    """Runs on listening sockets that are made here and inherited, so that the kernel chooses the ports and a connection
    may be made at once; in a folder of its own."""

    program = None

    def __init__(self, listening_sockets, address=("127.0.0.1", 0)):
        self._closed = False
        self._directory = tempfile.TemporaryDirectory(prefix=f"telltale-{self.program}-")
        self.directory = self._directory.name
        listening = [sockets.listen_socket(address) for _ in range(listening_sockets)]
        try:
            self.addresses = [sockets.text_of(s.getsockname()) for s in listening]
            self.process = self.begin([s.fileno() for s in listening])
        except BaseException:
            self._directory.cleanup()
            raise
        finally:
            for sock in listening:
                sock.close()

    def begin(self, fds) -> Process:
        raise NotImplementedError

    def run(self, *arguments, fds, env=None) -> Process:
        return Process([find_program(self.program), *arguments], env=env, pass_fds=fds)

    def write(self, name, text) -> str:
        """The path of a new file in the folder."""
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    @property
    def address(self) -> str:
        return self.addresses[0]

    def sockname(self, index=0):
        return sockets.parse_address(self.addresses[index])

    def close(self, signal_number=signal.SIGTERM):
        """Ends it; once. SIGKILL would leave nginx's worker behind."""
        if self._closed:
            return
        self._closed = True
        running = self.process.running()
        if running:
            self.process.send_signal(signal_number)
            self.process.wait()
        self._directory.cleanup()
        if not running:
            raise AssertionError(f"{self.program} ended by itself:\n" + self.process.stderr.text())

    def lost(self):
        """It was killed on purpose, with all that it had started."""
        self._closed = True
        self.process.kill()
        self._directory.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
