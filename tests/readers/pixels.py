"""What is to be seen in a picture that the program made."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy
from numpy.typing import NDArray

Pixels = NDArray[numpy.uint8]
"""`(height, width, 3)` uint8: red, green, blue."""

_EDGE = 0.0001  # of the pixels of a picture; a word has twenty times as many


def pixels(picture: bytes) -> Pixels:
    """The pixels of a PNG without filters, every checksum compared."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    chunks = dict(_chunks(picture[8:]))
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colours, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colours, *rest) == (8, 2, 0, 0, 0)
    rows = numpy.frombuffer(zlib.decompress(chunks[b"IDAT"]), numpy.uint8).reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    while data:
        (length,) = struct.unpack(">I", data[:4])
        kind, content = data[4:8], data[8 : 8 + length]
        assert struct.unpack(">I", data[8 + length : 12 + length]) == (zlib.crc32(kind + content),)
        yield kind, content
        data = data[12 + length :]


def yellow(seen: Pixels) -> NDArray[numpy.bool_]:
    """`(height, width)`: which pixels the pen has touched, where it left more than black."""
    red, green, blue = seen.astype(int).transpose(2, 0, 1)
    marked: NDArray[numpy.bool_] = (red - blue > 60) & (green - blue > 60)
    return marked


def alike(one: bytes, other: bytes) -> bool:
    """Whether two pictures show the same. The edge of a mark may fall on one side of a pixel or on the other."""
    first, second = pixels(one), pixels(other)
    return first.shape == second.shape and float((first != second).any(axis=2).mean()) < _EDGE
