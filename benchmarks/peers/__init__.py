"""Other actor and agent frameworks, each used as its own documentation says.

They are imported only where they are installed: see ``PEERS`` and ``_environments``.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

import attrs

from benchmarks._environments import Environment
from benchmarks.peers._backport import run_on_python_311

if TYPE_CHECKING:
    from benchmarks.peers._peer import Peer


@attrs.frozen
class Listed:
    """A peer that can be had.

    Args:
        name: its distribution on PyPI.
        module: ours, with its ``PEER``.
        imports: its own module, to see whether it is installed.
        environment: where it lives, if it cannot share ours.
        by_default: whether it is measured unless one asks otherwise.
    """

    name: str
    module: str
    imports: str
    environment: Environment | None = None
    by_default: bool = True

    @property
    def is_here(self) -> bool:
        """Whether it can be measured in this process."""
        return importlib.util.find_spec(self.imports) is not None

    def load(self) -> Peer:
        """Import it."""
        peer: Peer = importlib.import_module(f"benchmarks.peers.{self.module}").PEER
        return peer


ENVIRONMENTS = {
    environment.name: environment
    for environment in (
        Environment("astage", ("astage==0.1.1",), ("--ignore-requires-python",), run_on_python_311),
        Environment("xoscar", ("xoscar==0.12.2",)),
        Environment("autogen-core", ("autogen-core==0.7.5",)),
        # AgentScope 1.x does not name all that it imports, and breaks with a newer mcp.
        Environment("agentscope", ("agentscope==1.0.21", "mcp<2", "greenlet", "tqdm")),
        Environment("agno", ("agno==3.1.10",)),
        Environment("ray", ("ray==2.60.0",)),
    )
}
PEERS = {
    listed.name: listed
    for listed in (
        Listed("pykka", "_pykka", "pykka"),
        Listed("thespian", "_thespian", "thespian"),
        Listed("astage", "_astage", "astage", ENVIRONMENTS["astage"]),
        Listed("xoscar", "_xoscar", "xoscar", ENVIRONMENTS["xoscar"]),
        Listed("autogen-core", "_autogen_core", "autogen_core", ENVIRONMENTS["autogen-core"]),
        Listed("agentscope", "_agentscope", "agentscope", ENVIRONMENTS["agentscope"]),
        Listed("agno", "_agno", "agno", ENVIRONMENTS["agno"]),
        Listed("ray", "_ray", "ray", ENVIRONMENTS["ray"], by_default=False),
    )
}
