"""The No-U-Turn sampler, by nutpie, over one of our log densities.

References
----------
Hoffman and Gelman 2014, https://jmlr.org/papers/v15/hoffman14a.html.
Betancourt 2017, 10.48550/arXiv.1701.02434 (multinomial sampling along the trajectory, as nutpie
has it).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pkmodel.bayes.posterior import Cut
from pkmodel.kernels.posterior import copy_entrance

Vector = NDArray[np.float64]
Told = Callable[[int, int, int], None]

STATISTICS = {
    "diverging": "diverging",
    "logp": "lp",
    "n_steps": "n_steps",
    "depth": "tree_depth",
    "step_size": "step_size",
    "energy": "energy",
}
"""nutpie's names of what it tells of each draw, and ArviZ's."""

TRAJECTORY = "ExactNormal"
"""nutpie's name of trajectories that are exact where the density is the standard normal one."""

LONGEST_STEP = np.pi / 2.0
"""A quarter of the period. Where the density is normal no step errs, and longer ones, up to half
the period, would only turn a point over."""

FIRST_STEP = 1.0
SIGNS = np.array([-1.0, 1.0])

HALVINGS = 60

FEWEST = 20
"""Draws of a chain that are worth keeping after an interrupt."""


class Target(Protocol):
    """A log density of a vector that is nearly standard normal."""

    @property
    def dimension(self) -> int:
        """Length of the vector."""

    def __call__(self, vector: Vector) -> tuple[float, Vector]:
        """Return the log density and its gradient; -inf where it is not defined."""


@runtime_checkable
class CompiledTarget(Target, Protocol):
    """A target that machine code computes, without Python, for several chains at a time."""

    @property
    def address(self) -> int:
        """Where the code is: a function of dimension, vector, gradient, value and `record`."""

    @property
    def record(self) -> int:
        """Where is what the code takes beside the vector."""


@dataclass(frozen=True)
class Settings:
    """How long to sample.

    Attributes
    ----------
    chains, tune, draws : int
        Chains; draws of each that adapt the sampler; draws of each that are kept.
    seed : int
    acceptance : float
        Mean acceptance that the step is adapted to.
    jitter : float
        By how much steps scatter about it, as a share.
    cores : int
        Chains at a time; the draws are the same for any number.
    """

    chains: int
    tune: int
    draws: int
    seed: int
    acceptance: float = 0.8
    jitter: float = 0.1
    cores: int = 1


@dataclass(frozen=True)
class Chains:
    """What a sampler left.

    Attributes
    ----------
    vectors : array (chains, draws, dimension)
    statistics : mapping of str to array (chains, draws)
    gradients : int
        Log densities and gradients computed, those of the adaptation included.
    cpu_seconds : float
        Of all threads, the adaptation included.
    cut : Cut or None
        Of an interrupt from the keyboard: the chains that are kept.
    """

    vectors: Vector
    statistics: Mapping[str, NDArray[np.generic]]
    gradients: int
    cpu_seconds: float
    cut: Cut | None = None


def sample(target: Target, settings: Settings, told: Told | None = None) -> Chains:
    """Sample a target.

    Parameters
    ----------
    target : Target
    settings : Settings
    told : callable, optional
        Told now and then draws so far and draws in all, the adaptation included, and how many of
        those after the adaptation ended in a divergence.

    Returns
    -------
    Chains

    Raises
    ------
    KeyboardInterrupt
        Before any chain had draws that are worth keeping.
    """
    import nutpie

    begin = time.process_time()
    background = nutpie.sample(
        _model(target, settings.jitter),
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        cores=min(settings.cores, settings.chains),
        seed=settings.seed,
        progress_bar=False,
        progress_callback=None if told is None else _teller(told),
        progress_rate=1000,
        target_accept=settings.acceptance,
        save_warmup=True,
        return_raw_trace=True,
        blocking=False,
    )
    try:
        trace = background.wait()
    except KeyboardInterrupt:
        trace = background.abort()
    return _ended(trace, settings, time.process_time() - begin)


def _model(target: Target, jitter: float) -> Any:
    """Describe the target to nutpie, with trajectories for a nearly normal law.

    They follow the standard normal law without error. What a step errs by is then only how far
    the density is from that law, so that steps are long (splitting as in Shahbaba, Lan, Johnson
    and Neal 2014, 10.1007/s11222-012-9373-1).
    """
    from nutpie import _lib
    from nutpie.sample import CompiledModel

    sizes: dict[str, int] = {}
    shape = (target.dimension,)
    variables = _lib.PyVariable.new_variables(["vector"], ["float64"], [shape], sizes, {})

    class NearlyNormal(CompiledModel):  # type: ignore[misc]
        n_dim = target.dimension
        shapes: Mapping[str, tuple[int, ...]] = {"vector": shape}
        coords: Mapping[str, Any] = {}

        def _make_sampler(
            self, settings: Any, _mean: Any, cores: int, progress: Any, *more: Any
        ) -> Any:
            wanted = settings.as_dict()["settings"] | {"trajectory_kind": TRAJECTORY}
            step_size = wanted["adapt_options"]["step_size_settings"]
            step_size["initial_step"] = FIRST_STEP
            step_size["jitter"] = jitter or None
            step_size["adapt_options"]["dual_average"]["max_step_size"] = LONGEST_STEP
            settings.update_settings(wanted)
            if isinstance(target, CompiledTarget):
                model = _lib.PyMcModel(
                    _lib.LogpFunc(target.address, target.record, target),
                    _lib.ExpandFunc(
                        target.dimension, target.dimension, copy_entrance.address, 0, target
                    ),
                    variables,
                    target.dimension,
                    sizes,
                    {},
                    start,
                    None,
                )
                return _lib.PySampler.from_pymc(settings, cores, model, progress, *more)
            model = _lib.PyModel(
                lambda: target,
                lambda *_: lambda vector: {"vector": vector},
                variables,
                target.dimension,
                dim_sizes=sizes,
                coords={},
                init_point_func=start,
                transform_adapter=None,
            )
            return _lib.PySampler.from_pyfunc(settings, cores, model, progress, *more)

    def start(seed: int) -> Vector:
        """Draw signs: one deviation off the middle in every direction, nearer if not defined there.

        nutpie's first scales are the inverse slopes at its start: here they are nearly one.
        """
        vector = np.random.default_rng(seed).choice(SIGNS, size=target.dimension)
        for _ in range(HALVINGS):
            if np.isfinite(target(vector)[0]):
                break
            vector *= 0.5
        return vector

    return NearlyNormal(dims={}, reparameterized_names=None)


def _teller(told: Told) -> Callable[[Sequence[Any]], None]:
    def tell(progress: Sequence[Any]) -> None:
        done, total, divergences = (
            sum(getattr(chain, name) for chain in progress)
            for name in ("finished_draws", "total_draws", "divergences")
        )
        told(done, total, divergences)

    return tell


def _ended(trace: Any, settings: Settings, cpu_seconds: float) -> Chains:
    """Take out of nutpie's trace as many draws as chains of one length have."""
    vectors, statistics = ((), ()) if trace is None else trace.get_arrow_trace()
    tuned = [int(np.sum(_column(table, "tuning"))) for table in statistics]
    lengths = [table.num_rows - n for table, n in zip(statistics, tuned, strict=True)]
    kept, length = most_draws(lengths, settings.draws)

    def drawn(tables: Any, name: str) -> NDArray[Any]:
        columns = [_column(tables[k], name).reshape(tables[k].num_rows, -1) for k in kept]
        rows = [slice(tuned[k], tuned[k] + length) for k in kept]
        return np.array([column[part] for part, column in zip(rows, columns, strict=True)])

    is_whole = (len(kept), length) == (settings.chains, settings.draws)
    return Chains(
        drawn(vectors, "vector"),
        {new: drawn(statistics, old)[:, :, 0] for old, new in STATISTICS.items()},
        int(sum(np.sum(_column(table, "n_steps")) for table in statistics)),
        cpu_seconds,
        None if is_whole else Cut(tuple(k + 1 for k in kept), settings.chains, settings.draws),
    )


def most_draws(lengths: Sequence[int], wanted: int) -> tuple[list[int], int]:
    """Choose chains, and a length to cut all of them to, that keep the most draws.

    Parameters
    ----------
    lengths : sequence of int
        Draws of each chain so far.
    wanted : int
        Draws of each chain that were asked for.

    Returns
    -------
    chains : list of int
    length : int

    Raises
    ------
    KeyboardInterrupt
        No chain has draws that are worth keeping.

    Examples
    --------
    >>> most_draws([1000, 512, 498, 0], 1000)
    ([0, 1, 2], 498)
    """
    ordered = sorted(lengths, reverse=True)
    length = max(ordered, key=lambda least: least * sum(n >= least for n in lengths), default=0)
    if length < min(FEWEST, wanted):
        raise KeyboardInterrupt(
            f"the longest chain has {max(lengths, default=0)} of {wanted} draws, {FEWEST} are the "
            "fewest that are kept"
        )
    return [k for k, n in enumerate(lengths) if n >= length], length


def _column(table: Any, name: str) -> NDArray[Any]:
    """Return the numbers of a column of an Arrow table, lists of them flattened."""
    import pyarrow

    column = pyarrow.array(table.column(name))
    flat = column.flatten() if hasattr(column, "flatten") else column
    return np.asarray(flat.to_numpy(zero_copy_only=False))
