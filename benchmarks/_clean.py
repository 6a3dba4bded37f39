"""The same start for every sample: no garbage, and nothing that has been there before in the collector's way.

The collector itself stays on, as it is in anybody's program: what one does to it is part of what one costs.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def clean() -> Iterator[None]:
    """Around one sample."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
