"""The networks of :mod:`tests.graph_folders`."""

from tests.graph_folders import faces, folder, x  # noqa: F401
