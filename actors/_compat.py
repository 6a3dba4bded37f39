"""What the standard library has only in newer Pythons."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 13):
    from typing import TypeVar, override  # TypeVar: with a default
else:
    from typing_extensions import TypeVar, override

__all__ = ["TypeVar", "override"]
