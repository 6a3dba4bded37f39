"""How an owner of runs calls itself in a store."""

from __future__ import annotations

import os
import socket
from uuid import uuid4


def new_owner() -> str:
    """A name that nobody else has. Where it is stands in front, so that a person who lists runs can find the process."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex}"
