"""How kernels are compiled; the only module that imports numba.

Numba links the code of a called function into every caller and optimises it there again, gives
each function an entrance from Python that unpacks its arguments one by one, and makes a version
of it for each constant in a call. With several levels of calls and records of many arrays this
costs far more than the kernels themselves. Therefore

- a kernel that kernels call has no entrance and is not stored (`Kernel.linked`); one called from
  Python has, and is stored with all that it calls (`Kernel.entrance`);
- constants are passed like any other number;
- a kernel that allocates nothing is compiled without reference counts, which at every call would
  touch each array of each record (`allocating_kernel` for the others); it must return no array, for
  a caller that counts would let it go although nobody has taken it;
- the large prediction kernel is called by its address and linked nowhere (`at_address`);
- a function of the C language that other compiled code calls (`c_function`) finds its records in
  memory, where `Held` has put them once (`recalled`);
- optimisation stays at the first level, without vectorised loops: most kernels' loops are short,
  and the machine code is as fast;
- the few long loops of plain arithmetic are kernels of their own, optimised fully, several numbers
  at a time (`vector_kernel`); callers take their machine code as it is, sums in its order, so that
  a process gets the same bits whether it has compiled a caller or found it on disk.

Numba's disk cache does not see that a called function in another file has changed, so the cache
folder carries a digest of every kernel source: an edited kernel never meets stale machine code.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NewType, cast, get_args, get_origin, get_type_hints

import numba
import numpy as np
from numba.core import cgutils, codegen, event
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic, typeof_impl
from numba.np.arrayobj import populate_array
from numpy.typing import NDArray

_PACKAGE = Path(__file__).parent
_DOUBLES = ctypes.POINTER(ctypes.c_double)
_NUMBERS = {int: numba.int64, float: numba.float64, bool: numba.boolean}
_ARRAY = numba.types.CPointer(numba.float64)

Address = NewType("Address", int)
"""Where a `Held` record is."""

_C_TYPES = {int: numba.uint64, Address: numba.types.voidptr}


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

    def __init__(
        self,
        function: Callable[Arguments, Result],
        *,
        allocates: bool = False,
        in_vectors: bool = False,
        math: frozenset[str] = frozenset(),
    ) -> None:
        functools.update_wrapper(self, function)
        options = {
            "error_model": "numpy",
            "nogil": True,
            "no_cfunc_wrapper": True,
            "fastmath": set(math),
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
            version.compile = (_FULLY if in_vectors else _LIGHTLY)(version.compile)
        if in_vectors:
            self.linked.compile = _settled(self.linked)

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


def _settled(linked: Any) -> Callable[[Any], Any]:
    """Return what compiles a vector kernel, whose sums then keep their order.

    Callers optimise it again, each for itself. A process that has compiled the kernel runs that
    code; one that finds a caller on disk runs the caller's.
    """
    compile_once = linked.compile

    def compiled(signature: Any) -> Any:
        entry = compile_once(signature)
        library = linked.overloads[tuple(signature)].library
        code = str(library._get_module_for_linking())
        for flag in _IN_ANY_ORDER - _FUSED:
            code = code.replace(f" {flag} ", " ")
        library._shared_module = codegen.ll.parse_assembly(code)
        return entry

    return compiled


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


@intrinsic  # type: ignore[untyped-decorator]
def as_array(_context: Any, _numbers: Any, _size: Any) -> Any:
    """Array, for kernels only, of so many numbers at an address."""
    kind = numba.types.Array(numba.float64, 1, "C")

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        array = context.make_array(kind)(context, builder)
        width = context.get_constant(numba.intp, 8)
        populate_array(array, values[0], [values[1]], [width], width, None)
        return array._getvalue()

    return kind(_ARRAY, numba.uint64), generate


def recalled(record: type) -> Callable[[Address], Any]:
    """Return a function, for kernels only, of the address of a record that `Held` holds."""
    declared = _declared(record)

    @intrinsic  # type: ignore[untyped-decorator]
    def recall(_context: Any, _address: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            kind = context.get_value_type(declared)
            return builder.load(builder.bitcast(values[0], kind.as_pointer()))

        return declared(numba.types.voidptr), generate

    return cast(Callable[[Address], Any], recall)


@intrinsic  # type: ignore[untyped-decorator]
def _put(_context: Any, room: Any, record: Any) -> Any:
    """Write a record, as the machine has it, into an array."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, values[0])
        place = builder.bitcast(array.data, values[1].type.as_pointer())
        builder.store(values[1], place)
        return context.get_dummy_value()

    return numba.void(room, record), generate


def _reinterpreted(given: Any, result: Any) -> Callable[[Any], Any]:
    """Return a function, for kernels only, that takes the bits of one type as another."""

    @intrinsic  # type: ignore[untyped-decorator]
    def convert(_context: Any, _value: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return builder.bitcast(values[0], context.get_value_type(result))

        return result(given), generate

    return cast(Callable[[Any], Any], convert)


bits_of = _reinterpreted(numba.float64, numba.int64)
"""The bits of a float as a whole number."""

float_of = _reinterpreted(numba.int64, numba.float64)
"""The float that has these bits."""


class Held:
    """A record of kernels in memory, for `recalled`; it stays as long as this lives.

    Parameters
    ----------
    record : NamedTuple
        Its arrays are as its class declares them.

    Raises
    ------
    TypeError
        An array has another type or layout.
    """

    def __init__(self, record: tuple[Any, ...]) -> None:
        declared = _declared(type(record))
        if numba.typeof(record) != declared:
            raise TypeError(f"{numba.typeof(record)} is not {declared}")
        target = numba.core.registry.cpu_target.target_context
        size = target.get_abi_sizeof(target.get_value_type(declared))
        self._record = record
        self._room = np.zeros(size, dtype=np.uint8)
        put(self._room, record)

    @property
    def address(self) -> Address:
        """Where the record is."""
        return Address(self._room.ctypes.data)


class CFunction:
    """Machine code for callers of C functions, of numbers, arrays of floats and an `Address`.

    Annotations say which: an array comes without its size.
    """

    def __init__(self, function: Callable[..., int]) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    @functools.cached_property
    def _compiled(self) -> Any:
        hints = get_type_hints(self._function)
        kinds = [_C_TYPES.get(hint, _ARRAY) for name, hint in hints.items() if name != "return"]
        options = {"error_model": "numpy", "nogil": True, "_nrt": False}
        with _settings(CACHE_DIR=str(CACHE), **_LIGHTLY_WANTED):
            return numba.cfunc(numba.int64(*kinds), cache=True, **options)(self._function)

    @property
    def address(self) -> int:
        """Where the machine code is, in this process."""
        return int(self._compiled.address)

    def __call__(self, *arguments: int | NDArray[np.float64]) -> int:
        """Call it from Python."""
        given = [a if isinstance(a, int) else a.ctypes.data_as(_DOUBLES) for a in arguments]
        return int(self._compiled.ctypes(*given))


c_function = CFunction


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


_LEVEL = type(numba.config.OPT)
_LIGHTLY_WANTED = {"OPT": _LEVEL(1), "LOOP_VECTORIZE": 0}
_LIGHTLY = _settings(**_LIGHTLY_WANTED)
_FULLY = _settings(OPT=_LEVEL(3), LOOP_VECTORIZE=1)
_FUSED = frozenset({"contract"})
"""A product and a sum may be one instruction."""

_IN_ANY_ORDER = _FUSED | {"reassoc", "nsz"}
"""Sums may be added up in parts."""


@typeof_impl.register(Kernel)  # type: ignore[untyped-decorator]
def _type_of_kernel(value: Kernel[..., object], _context: object) -> object:
    return numba.types.Dispatcher(value.linked)


def kernel[**Arguments, Result](function: Callable[Arguments, Result]) -> Kernel[Arguments, Result]:
    """Make a kernel that allocates nothing itself, and so counts no references."""
    return Kernel(function)


def vector_kernel[**Arguments, Result](
    function: Callable[Arguments, Result],
) -> Kernel[Arguments, Result]:
    """Make a kernel of long loops that work on several numbers at once, sums in any order.

    What its loops call are kernels of arithmetic alone.
    """
    return Kernel(function, in_vectors=True, math=_IN_ANY_ORDER)


def arithmetic_kernel[**Arguments, Result](
    function: Callable[Arguments, Result],
) -> Kernel[Arguments, Result]:
    """Make a kernel of arithmetic alone, in its order, for the loops of vector kernels."""
    return Kernel(function, math=_FUSED)


def allocating_kernel[**Arguments, Result](
    function: Callable[Arguments, Result],
) -> Kernel[Arguments, Result]:
    """Make a kernel that may allocate arrays."""
    return Kernel(function, allocates=True)


@kernel
def put(room: np.ndarray[Any, Any], record: tuple[Any, ...]) -> None:
    """Write a record into an array of bytes."""
    _put(room, record)


class CompileClock:
    """Seconds that went by while kernels were compiled or read from the disk."""

    def __init__(self) -> None:
        self._listener = event.TimingListener()

    @property
    def seconds(self) -> float:
        """So far."""
        return float(self._listener.duration) if self._listener.done else 0.0


@contextmanager
def compile_clock() -> Iterator[CompileClock]:
    """Time what is compiled inside, by any thread: while numba's compiler is held or waited for."""
    clock = CompileClock()
    with event.install_listener("numba:compiler_lock", clock._listener):
        yield clock
