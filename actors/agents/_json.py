"""Plain JSON data: copied when it comes in, checked when it goes out.

Messages and the saved state of agents hold nested dicts and lists. Two owners of one list are a bug that shows much
later, so everything that is stored is copied first; and what cannot be JSON is named with its place before it reaches a
file or a wire.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"

# Far above any real message, and far below the recursion limit of Python and of its JSON decoder.
MAX_DEPTH = 100


def copied(value: Any, where: str, *, depth: int = 0) -> Any:
    """A copy that shares no container with ``value``: mappings become dicts, lists and tuples become lists.

    Anything else is taken as it is; whether it is JSON is asked only by `as_json`.

    Args:
        value: What to copy.
        where: The place of the value for error messages, such as ``metadata``.
        depth: How deep this value lies.

    Raises:
        ValueError: Nested deeper than `MAX_DEPTH` levels, which is also how a container that contains itself shows.
    """
    if isinstance(value, (str, int, float)) or value is None:
        return value
    if depth > MAX_DEPTH:
        raise ValueError(f"{where} is nested deeper than {MAX_DEPTH} levels, or contains itself")
    if isinstance(value, Mapping):
        return {
            key: copied(item, where, depth=depth + 1) for key, item in cast("Mapping[object, object]", value).items()
        }
    if isinstance(value, (list, tuple)):
        return [copied(item, where, depth=depth + 1) for item in cast("list[Any]", value)]
    return value


def as_json(value: object, where: str, *, depth: int = 0) -> JSON:
    """A copy of ``value`` that `json.dumps` takes and `json.loads` gives back equal.

    Args:
        value: What to copy.
        where: The place of the value for error messages, such as ``metadata``.
        depth: How deep this value lies.

    Raises:
        TypeError: Something in it is no JSON type, or a key of a dict is no string (`json.dumps` would turn the key
            into one, and it would come back changed). The message names the place: ``metadata['scores'][2]``.
        ValueError: A float is not finite, or it is nested deeper than `MAX_DEPTH` levels.
    """
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}, which JSON cannot hold")
        return value
    if depth > MAX_DEPTH:
        raise ValueError(f"{where[:80]}… is nested deeper than {MAX_DEPTH} levels, or contains itself")
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        for key in mapping:
            if not isinstance(key, str):
                raise TypeError(f"{where} has the key {key!r} of type {type(key).__name__}; keys of JSON are strings")
        return {str(key): as_json(item, f"{where}[{key!r}]", depth=depth + 1) for key, item in mapping.items()}
    if isinstance(value, (list, tuple)):
        items = cast("list[object]", value)
        return [as_json(item, f"{where}[{index}]", depth=depth + 1) for index, item in enumerate(items)]
    raise TypeError(f"{where} is of type {type(value).__name__}, which JSON cannot hold")
