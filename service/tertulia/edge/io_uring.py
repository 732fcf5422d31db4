"""One call to the kernel that sends the same bytes to many sockets: io_uring, as far as that needs it.

Sending to a thousand sockets one by one is a thousand calls, and each of them crosses into the kernel and
comes back through Python. Here the sends are prepared as requests in memory that both sides see, and one
call carries all of them out; nothing is left to be done later when it returns. Sockets are registered with
the ring, which so holds on to the socket itself: a file number that was closed, and has gone to somebody
else since, is never written to.

Source: io_uring_setup(2), io_uring_enter(2), io_uring_register(2), and <linux/io_uring.h>.
"""

import ctypes
import mmap
import os
import struct
from array import array
from collections.abc import Iterable
from typing import Final

_SETUP: Final = 425
_ENTER: Final = 426
_REGISTER: Final = 427
"""The numbers of the system calls: the same on every architecture."""
_SUBMIT_ALL: Final = 1 << 7
"""A request that fails does not keep those after it from being carried out."""
_SINGLE_ISSUER: Final = 1 << 12
_GETEVENTS: Final = 1
_REGISTER_FILES: Final = 2
_REGISTER_FILES_UPDATE: Final = 6
_OFFSET_REQUESTS: Final = 0x10000000
_SEND: Final = 26
_FIXED_FILE: Final = 1
_FLAGS: Final = 0x4040
"""MSG_DONTWAIT, so that nothing is left for later, and MSG_NOSIGNAL."""
_NO_FILE: Final = -1
_NOT_SENT: Final = -11
"""As EAGAIN: what the kernel did not even begin."""

_REQUEST: Final = struct.Struct("=BBHiQQIIQQQQ")
"""struct io_uring_sqe: opcode, flags, priority, file, offset, address, length, send flags, user data."""
_REQUEST_BYTES: Final = 64
_ADDRESS: Final = 2  # its place in words of 8 bytes
_LENGTH: Final = 6  # its place in words of 4 bytes
_USER_DATA: Final = 32  # in bytes
_RESULT_BYTES: Final = 16
"""struct io_uring_cqe: user data, result, flags."""

_libc = ctypes.CDLL(None, use_errno=True)


class _Parameters(ctypes.Structure):
    """struct io_uring_params."""

    _fields_ = (
        ("requests", ctypes.c_uint32),
        ("results", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("unused", ctypes.c_uint32 * 7),
        ("request_offsets", ctypes.c_uint32 * 10),
        ("result_offsets", ctypes.c_uint32 * 10),
    )


class _Update(ctypes.Structure):
    """struct io_uring_files_update."""

    _fields_ = (
        ("place", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("files", ctypes.c_uint64),
    )


def _call(number: int, *args: object) -> int:
    result: int = _libc.syscall(number, *args)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


class IoUring:
    """The requests and results that this thread shares with the kernel."""

    def __init__(self, sockets: int, at_once: int = 4096) -> None:
        """Make room for so many sockets. ``at_once``: requests of one call, a power of two.

        Raises OSError where the system has no io_uring (Linux 6.0 is needed), or does not allow it.
        """
        told = _Parameters(flags=_SUBMIT_ALL | _SINGLE_ISSUER)
        self._fd = _call(_SETUP, at_once, ctypes.byref(told))
        try:
            none = array("i", [_NO_FILE]) * sockets
            _call(
                _REGISTER,
                self._fd,
                _REGISTER_FILES,
                ctypes.c_void_p(none.buffer_info()[0]),
                ctypes.c_uint(sockets),
            )
            self._map(told)
        except BaseException:
            os.close(self._fd)
            raise
        self._free: list[int] = []  # numbers that were in use
        self._unused = iter(range(sockets))

    def _map(self, told: _Parameters) -> None:
        _, self._tail, _, _, _, _, order = told.request_offsets[:7]
        self._results_head, _, _, _, _, first_result = told.result_offsets[:6]
        self._at_once: int = told.requests
        self._most_results: int = told.results
        size = max(order + self._at_once * 4, first_result + self._most_results * _RESULT_BYTES)
        shared = memoryview(mmap.mmap(self._fd, size))
        requests = mmap.mmap(self._fd, self._at_once * _REQUEST_BYTES, offset=_OFFSET_REQUESTS)
        self._requests = memoryview(requests)
        self._words = shared[: first_result - first_result % 4].cast("I")
        results = shared[first_result : first_result + self._most_results * _RESULT_BYTES]
        self._results, self._results_for = results.cast("i"), results.cast("Q")
        shared[order : order + self._at_once * 4].cast("I")[:] = array("I", range(self._at_once))

    def close(self) -> None:
        """Give everything back."""
        os.close(self._fd)

    # --- Sockets ---------------------------------------------------------------------------------

    def hold(self, fd: int) -> int | None:
        """Hold a socket, and return its number in the ring; None where that can't be."""
        number = self._free.pop() if self._free else next(self._unused, None)
        if number is None:
            return None
        try:
            self._register(number, fd)
        except OSError:
            self._free.append(number)
            return None
        return number

    def release(self, number: int) -> None:
        """Hold it no more. Until then it stays open, even if somebody closes it."""
        self._register(number, _NO_FILE)
        self._free.append(number)

    def _register(self, number: int, fd: int) -> None:
        files = ctypes.c_int(fd)
        update = _Update(place=number, files=ctypes.addressof(files))
        _call(_REGISTER, self._fd, _REGISTER_FILES_UPDATE, ctypes.byref(update), ctypes.c_uint(1))

    # --- Sending ---------------------------------------------------------------------------------

    def send(
        self, requests: "Requests", data: bytes, but: Iterable[int] = ()
    ) -> list[tuple[int, int]]:
        """Send with each request, but for those in some places; empty ``data`` is not sent.

        Returns place and result of those that did not take everything: how many bytes they took, or, as a
        negative number, the error.
        """
        count = len(requests)
        lengths = array("I", [len(data)]) * count
        for place in but:
            lengths[place] = 0
        address = ctypes.c_void_p.from_buffer(ctypes.c_char_p(data)).value
        prepared = requests.addressed(address, lengths)
        short: list[tuple[int, int]] = []
        for first in range(0, count, self._at_once):
            last = min(first + self._at_once, count)
            part = prepared[first * _REQUEST_BYTES : last * _REQUEST_BYTES]
            short += self._carry_out(part, first, lengths[first:last])
        return short

    def _carry_out(
        self, requests: memoryview, first: int, lengths: "array[int]"
    ) -> list[tuple[int, int]]:
        words, count = self._words, len(lengths)
        tail = words[self._tail // 4]
        at = tail % self._at_once
        before = min(count, self._at_once - at) * _REQUEST_BYTES
        at *= _REQUEST_BYTES
        self._requests[at : at + before] = requests[:before]
        self._requests[: len(requests) - before] = requests[before:]
        words[self._tail // 4] = (tail + count) % (1 << 32)
        try:
            done = _call(_ENTER, self._fd, count, count, _GETEVENTS, None, 0)
        except OSError:  # short of memory: nothing was begun
            done = 0
        if done < count:
            words[self._tail // 4] = (tail + done) % (1 << 32)
        return self._judge(first, lengths, done)

    def _judge(self, first: int, lengths: "array[int]", done: int) -> list[tuple[int, int]]:
        """Take the results, and return those that fall short."""
        words = self._words
        head = words[self._results_head // 4]
        start = head % self._most_results
        stop = min(start + done, self._most_results)
        over = done - (stop - start)  # those are at the beginning
        results = self._results[start * 4 + 2 : stop * 4 : 4].tobytes()
        if over:
            results += self._results[2 : over * 4 : 4].tobytes()
        short = []
        if results != lengths.tobytes():
            whose = self._results_for[start * 2 : stop * 2 : 2].tobytes()
            whose += self._results_for[0 : over * 2 : 2].tobytes()
            told = dict(
                zip(memoryview(whose).cast("Q"), memoryview(results).cast("i"), strict=True)
            )
            for place, length in enumerate(lengths, first):
                result = told.get(place, _NOT_SENT)
                if length and result != length:
                    short.append((place, result))
        words[self._results_head // 4] = (head + done) % (1 << 32)
        return short


class Requests:
    """Prepared sends to sockets of a ring, each in a place from 0 on."""

    def __init__(self) -> None:
        self._prepared = bytearray()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._prepared) // _REQUEST_BYTES

    def append(self, number: int) -> None:
        """Prepare one more, to the socket of that number."""
        self._prepared += _REQUEST.pack(
            _SEND, _FIXED_FILE, 0, number, 0, 0, 0, _FLAGS, len(self), 0, 0, 0
        )

    def take(self, place: int) -> None:
        """Take one out; the last one gets its place."""
        last = self._prepared[-_REQUEST_BYTES:]
        del self._prepared[-_REQUEST_BYTES:]
        if place < len(self):
            start = place * _REQUEST_BYTES
            self._prepared[start : start + _REQUEST_BYTES] = last
            struct.pack_into("=Q", self._prepared, start + _USER_DATA, place)

    def addressed(self, address: int | None, lengths: "array[int]") -> memoryview:
        """Return them with what is to be sent: from where, and how much by each."""
        prepared = memoryview(self._prepared)
        if len(lengths):
            prepared.cast("Q")[_ADDRESS::8] = array("Q", [address or 0]) * len(lengths)
            prepared.cast("I")[_LENGTH::16] = lengths
        return prepared
