"""One multipart upload in a thread of its own: parts go in, and in the end there is a whole object or nothing.

The client's call takes an iterator and ends with the object's completion; where the iterator raises, it aborts
the upload at the store. This turns that call inside out. It knows nothing of names, stores or errors.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import TypeVar, cast

Answer = TypeVar("Answer")


class Dropped(Exception):
    """The upload is not wanted any more; raised inside of it so that it aborts."""


class Upload:
    """Parts in, one at a time, then finish or abort. All methods belong to one thread at a time."""

    def __init__(self, send: Callable[[Iterator[bytes]], object]) -> None:
        self._changed = threading.Condition()
        self._waiting: bytes | None = None
        self._closed = False
        self._dropped = False
        self._over = False
        self._error: BaseException | None = None
        # A daemon, since a client that waits for a dead network must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, args=(send,), name="zenctl-upload", daemon=True)
        self._thread.start()

    def part(self, data: bytes) -> None:
        """Hand over a part; waits while the one before is not taken. Raises what the upload raised."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is None or self._over)
            if self._over:
                raise self._error or RuntimeError("the upload ended before its last part")
            self._waiting = data
            self._changed.notify_all()

    def finish(self) -> None:
        """Complete the object. Raises what the upload raised."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._over)
        if self._error is not None:
            raise self._error

    def abort(self, longest_seconds: float) -> None:
        """Have the upload aborted at the store, and wait so long for it at most; harmless when it is over."""
        with self._changed:
            self._dropped = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._over, longest_seconds)

    def _run(self, send: Callable[[Iterator[bytes]], object]) -> None:
        error: BaseException | None = None
        try:
            send(self._parts())
        except BaseException as raised:  # noqa: BLE001 - it is raised again in the thread that waits
            error = raised
        with self._changed:
            self._over, self._error = True, error
            self._changed.notify_all()

    def _parts(self) -> Iterator[bytes]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._closed or self._dropped)
                if self._dropped:
                    raise Dropped
                part, self._waiting = self._waiting, None
                self._changed.notify_all()
            if part is None:
                return
            yield part


def apart(call: Callable[[], Answer]) -> Answer:
    """Return what a call returns, made in another thread, so that a signal ends the wait for it.

    A client in native code would hold Ctrl-C and SIGTERM up until its last retry. Threads that get no
    signals call directly.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    outcome: SimpleQueue[tuple[Answer, None] | tuple[None, BaseException]] = SimpleQueue()

    def run() -> None:
        try:
            outcome.put((call(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            outcome.put((None, error))

    threading.Thread(target=run, name="zenctl-store", daemon=True).start()
    answer, error = outcome.get()
    if error is not None:
        raise error
    return cast(Answer, answer)
