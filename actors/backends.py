"""Stands in for ``../backends`` in a checkout and in an editable install, so that `actors.backends` works everywhere.

In a wheel that folder itself is ``actors/backends/`` and this module is left out. It is loaded by its path, never by
its name: ``import backends`` inside an application means that application's own ``backends/``.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backends import *
else:
    _folder = Path(__file__).resolve().parent.parent / "backends"
    _spec = spec_from_file_location(__name__, _folder / "__init__.py", submodule_search_locations=[str(_folder)])
    # The import system hands out what it finds in sys.modules under the name once this module has run.
    sys.modules[__name__] = _module = module_from_spec(_spec)
    _spec.loader.exec_module(_module)
