"""Importing the package costs little: heavy libraries wait until a fit is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"pandas", "numba", "scipy", "numpy", "pint", "pydantic", "matplotlib", "arviz", "xarray"}


def _loaded_by(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "statement", ["import pkmodel", "import pkmodel.cli", "from pkmodel import Model, Options"]
)
def test_import_loads_nothing_heavy(statement):
    assert not _loaded_by(statement) & HEAVY


def test_every_public_name_is_there():
    import pkmodel

    for name in pkmodel.__all__:
        assert getattr(pkmodel, name) is not None
    assert set(pkmodel.__all__) <= set(dir(pkmodel))


def test_an_unknown_name_is_an_attribute_error():
    import pkmodel

    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = pkmodel.fitt
