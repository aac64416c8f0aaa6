"""What several test modules share: this folder on the path, and definitions from text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import pkmodel as pk


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one folder for the whole run, for definitions and changed data."""
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="session")
def define(scratch: Path) -> Callable[[str, str], pk.Definition]:
    """Return a function that writes a definition's text to a file and reads it back."""

    def write_and_read(name: str, text: str) -> pk.Definition:
        path = scratch / f"{name}.toml"
        path.write_text(text)
        return pk.read_definition(path)

    return write_and_read
