"""What pyproject.toml cannot say: ``backends/`` is ``actors/backends/`` in a wheel, but not in an editable install."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BackendsHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling wants its configuration's type
    """Puts the backends where `actors.backends` is found."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a build, with `version` "standard" or "editable"."""
        if version == "standard":
            build_data["force_include"]["backends"] = "actors/backends"
