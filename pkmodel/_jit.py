"""How kernels are compiled; the only module that imports numba.

Numba links the code of a called function into every caller and optimises it there again, gives
each function an entrance from Python that unpacks its arguments one by one, and makes a version
of it for each constant in a call. With several levels of calls and records of many arrays this
costs far more than the kernels themselves. Therefore

- a kernel that kernels call has no entrance and is not stored (`Kernel.linked`); one called from
  Python has, and is stored with all that it calls (`Kernel.entrance`);
- constants are passed like any other number;
- a kernel that allocates nothing is compiled without reference counts, which at every call would
  touch each array of each record (`allocating_kernel` for the others);
- the large prediction kernel is called by its address and linked nowhere (`at_address`);
- optimisation stays at the first level, without vectorised loops: these kernels' loops are short,
  and the machine code is as fast.

Numba's disk cache does not see that a called function in another file has changed, so the cache
folder carries a digest of every kernel source: an edited kernel never meets stale machine code.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import numba
import numpy as np
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic, typeof_impl

_PACKAGE = Path(__file__).parent
_NUMBERS = {int: numba.int64, float: numba.float64, bool: numba.boolean}


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


class Kernel[**Arguments, Result]:
    """A compiled function of numbers, arrays and records of them; it releases the GIL."""

    def __init__(self, function: Callable[Arguments, Result], *, allocates: bool) -> None:
        functools.update_wrapper(self, function)
        options = {
            "error_model": "numpy",
            "nogil": True,
            "no_cfunc_wrapper": True,
            "_nrt": allocates,
        }
        self.linked = numba.njit(function, no_cpython_wrapper=True, **options)
        find_version = self.linked.get_call_template
        self.linked.get_call_template = lambda args, kws: find_version(
            tuple(numba.types.unliteral(a) for a in args), kws
        )
        with _settings(CACHE_DIR=str(CACHE)):
            self.entrance = numba.njit(function, cache=True, **options)
        for version in (self.linked, self.entrance):
            version.compile = _LIGHTLY(version.compile)

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Call the machine code from Python."""
        result: Result = self.entrance(*args, **kwargs)
        return result

    @functools.cached_property
    def declared(self) -> tuple[Any, ...]:
        """Numba types of the annotated arguments."""
        hints = get_type_hints(self.entrance.py_func, include_extras=True)
        return tuple(_declared(hint) for name, hint in hints.items() if name != "return")

    @functools.cached_property
    def address(self) -> int:
        """Where the machine code for the annotated arguments is, in this process."""
        compiled = self.entrance.get_compile_result(numba.void(*self.declared))
        return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


def _declared(hint: Any) -> Any:
    """Numba type of a number, of an array annotated by its scalar and dimensions, or a record."""
    if hint in _NUMBERS:
        return _NUMBERS[hint]
    if get_origin(hint) is Annotated:
        _, scalar, dimensions = get_args(hint)
        return numba.types.Array(numba.from_dtype(np.dtype(scalar)), dimensions, "C")
    fields = get_type_hints(hint, include_extras=True)
    return numba.types.NamedTuple([_declared(field) for field in fields.values()], hint)


def at_address(target: Kernel[..., None]) -> Callable[[int, tuple[object, ...]], None]:
    """Return a function, for kernels only, of the address of `target` and its arguments."""

    @intrinsic  # type: ignore[untyped-decorator]
    def call(_context: Any, _address: Any, _arguments: Any) -> Any:
        types = target.declared

        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            address, arguments = values
            convention = context.call_conv
            function = convention.get_function_type(numba.void, types)
            pointer = builder.inttoptr(address, function.as_pointer())
            unpacked = cgutils.unpack_tuple(builder, arguments)
            status, _ = convention.call_function(builder, pointer, numba.void, types, unpacked)
            with cgutils.if_unlikely(builder, status.is_error):
                convention.return_status_propagate(builder, status)
            return context.get_dummy_value()

        return numba.void(numba.int64, numba.types.Tuple(types)), generate

    return cast(Callable[[int, tuple[object, ...]], None], call)


@contextmanager
def _settings(**wanted: object) -> Iterator[None]:
    """Change settings of numba for a while, under the lock that guards its compiler."""
    with global_compiler_lock:
        before = {name: getattr(numba.config, name) for name in wanted}
        vars(numba.config).update(wanted)
        try:
            yield
        finally:
            vars(numba.config).update(before)


_LIGHTLY = _settings(OPT=type(numba.config.OPT)(1), LOOP_VECTORIZE=0)


@typeof_impl.register(Kernel)  # type: ignore[untyped-decorator]
def _type_of_kernel(value: Kernel[..., object], _context: object) -> object:
    return numba.types.Dispatcher(value.linked)


def kernel[**Arguments, Result](function: Callable[Arguments, Result]) -> Kernel[Arguments, Result]:
    """Make a kernel that allocates nothing itself, and so counts no references."""
    return Kernel(function, allocates=False)


def allocating_kernel[**Arguments, Result](
    function: Callable[Arguments, Result],
) -> Kernel[Arguments, Result]:
    """Make a kernel that may allocate arrays."""
    return Kernel(function, allocates=True)
