"""How kernels are compiled; the only module that imports numba.

Numba's disk cache does not see that a called function in another file has changed, so the cache
folder carries a digest of every kernel source: an edited kernel never meets stale machine code.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numba

_PACKAGE = Path(__file__).parent


def _digest() -> str:
    sources = [Path(__file__), *sorted((_PACKAGE / "kernels").glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def _cache_folder() -> Path:
    """Return a writable folder: `PKMODEL_CACHE`, else the user's cache, else a temporary one."""
    wishes = [Path(p) for p in [os.environ.get("PKMODEL_CACHE")] if p]
    wishes += [Path.home() / ".cache" / "pkmodel", Path(tempfile.gettempdir()) / "pkmodel-cache"]
    for wish in wishes:
        folder = wish / _digest()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.mkdtemp(prefix="pkmodel-"))


CACHE = _cache_folder()


def is_cold() -> bool:
    """Tell whether no kernel has been compiled into the cache yet."""
    return not any(CACHE.rglob("*.nbi"))


def kernel[Function: Callable[..., object]](function: Function) -> Function:
    """Compile a function of numbers and arrays, once per machine; it releases the GIL."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(CACHE)
    try:
        compiled = numba.njit(function, cache=True, error_model="numpy", nogil=True)
    finally:
        numba.config.CACHE_DIR = before
    return cast(Function, compiled)
