"""Readers: one file per format, each a `Callable[[Path], BookText]`."""
