"""Whatever pixels a picture has, it can be taken apart into them again."""

from __future__ import annotations

from random import Random

import numpy
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.readers import png
from tests.readers.pixels import pixels


@given(st.integers(1, 40), st.integers(1, 40), st.randoms())
def test_the_pixels_come_through(width: int, height: int, chance: Random) -> None:
    rows = [chance.randbytes(3 * width) for _ in range(height)]
    seen = pixels(png.encode(width, height, rows))
    assert seen.shape == (height, width, 3)
    assert numpy.array_equal(seen, numpy.frombuffer(b"".join(rows), numpy.uint8).reshape(height, width, 3))
