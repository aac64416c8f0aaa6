"""What stands on every row of a benchmark: when, which commit, which machine and versions."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numba
import numpy as np

HERE = Path(__file__).parent
COLUMNS = ["date", "commit", "machine", "python", "numpy", "numba"]


def commit() -> str:
    """Return the commit, with a mark where the tree has changes."""
    call = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def machine() -> str:
    """Name the processor."""
    info = Path("/proc/cpuinfo")
    names = [
        line.split(":", 1)[1].strip()
        for line in (info.read_text().splitlines() if info.exists() else [])
        if line.startswith("model name")
    ]
    return f"{names[0] if names else platform.machine()} x {os.cpu_count()}"


@cache
def stamp() -> dict[str, object]:
    """Return the values of `COLUMNS` as they were when first asked for."""
    values = (
        datetime.now(UTC).strftime("%Y-%m-%d"),
        commit(),
        machine(),
        platform.python_version(),
        np.__version__,
        numba.__version__,
    )
    return dict(zip(COLUMNS, values, strict=True))
