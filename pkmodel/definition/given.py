"""What a user hands to a fit from Python: understood, or refused with what is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pkmodel.definition.option_check import (
    FULL_BAYES,
    by_method,
    idle_options,
    option_problems,
    whole_number_fault,
)
from pkmodel.definition.prior_check import MISPLACED
from pkmodel.definition.reading import read_definition
from pkmodel.definition.record import DataSpec, Definition
from pkmodel.errors import DataError, FitError, ModelError, Problem
from pkmodel.models.model import Model, Options
from pkmodel.suggestion import quoted
from pkmodel.units import are_equivalent, read_units

if TYPE_CHECKING:
    import pandas as pd

    from pkmodel.dataset import Dataset


def given_model(
    model: Definition | Model | str | Path, method: str | None = None
) -> Definition | Model:
    """Return a definition or model, read where it is named, to be fitted by its method or another.

    Raises
    ------
    ModelError
        It is neither, or the definition has faults.
    """
    if isinstance(model, str | Path):
        return read_definition(model, method=method)
    if not isinstance(model, Definition | Model):
        raise ModelError(
            f"model of type {type(model).__name__}; expected a Definition (pkmodel.read_definition)"
            ", the name of one, or a Model"
        )
    return model


def given_data(model: Definition | Model, data: Dataset | pd.DataFrame | None) -> Dataset:
    """Return the data of a fit.

    Parameters
    ----------
    model : Definition or Model
    data : Dataset, DataFrame or None
        A DataFrame is read as a definition declares; a Dataset is used as it is; None takes the
        file of the definition.

    Raises
    ------
    DataError, ModelError
        The table has faults, or a Dataset is in other units than those declared.
    FitError
        There are no data.
    """
    import pandas as pd

    from pkmodel.dataset import Dataset, read_dataset

    declared = model.data if isinstance(model, Definition) else None
    structure = (model.model if isinstance(model, Definition) else model).structure
    if isinstance(data, Dataset):
        _check_units(data, declared)
        return data
    if data is not None and not isinstance(data, pd.DataFrame):
        raise DataError(_no_table(data), "data")
    if declared is not None:
        return declared.read(structure, data)
    if data is None:
        raise FitError(
            "no data: name the file under [data] of the definition, or pass a Dataset or a "
            "DataFrame as the second argument"
        )
    return read_dataset(data, structure=structure)


def _no_table(data: object) -> str:
    if isinstance(data, str | Path):
        return (
            f"{quoted(str(data))} is the name of a file; read it first, saying its units: "
            f"pkmodel.read_dataset({quoted(str(data))}, units=...)"
        )
    return f"data of type {type(data).__name__}; expected a Dataset or a pandas DataFrame"


def _check_units(data: Dataset, declared: DataSpec | None) -> None:
    if declared is None or declared.units is None:
        return
    wanted = read_units(declared.units)
    if are_equivalent(data.units, wanted):
        return
    own = data.units
    found = f"{own.time}, {own.amount} and {own.concentration}" if own.is_declared else "no units"
    raise DataError(
        f"the Dataset declares {found}, [data] of the definition {wanted.time}, {wanted.amount} "
        f"and {wanted.concentration}; read the table with the units it is in, and say the same in "
        "the definition",
        data.source,
    )


def given_options(
    model: Definition | Model,
    *,
    method: str | None = None,
    seed: int | None = None,
    starts: int | None = None,
    covariance: bool | str | None = None,
    chains: int | None = None,
    draws: int | None = None,
) -> Options:
    """Return the options of a definition with some replaced, checked.

    What the definition says to its own method is not said to another one that has no use for it;
    what is given here is.

    Raises
    ------
    ModelError
        An option is not known or out of its range.
    """
    options = model.options if isinstance(model, Definition) else Options()
    if isinstance(covariance, bool):
        covariance = "sandwich" if covariance else "none"
    asked = {
        "seed": seed,
        "starts": starts,
        "covariance": covariance,
        "chains": chains,
        "draws": draws,
    }
    changes: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    options = replace(by_method(options, method), **changes)
    problems = option_problems(options)
    population = model.model if isinstance(model, Definition) else model
    if population.priors is not None and method is None and options.method != FULL_BAYES:
        problems.append(Problem(MISPLACED, "priors"))
    _refuse(problems, {*changes, "method"} if method is not None else set(changes), model)
    return replace(
        options,
        starts=int(options.starts),
        seed=int(options.seed),
        max_evaluations=int(options.max_evaluations),
        chains=None if options.chains is None else int(options.chains),
        draws=None if options.draws is None else int(options.draws),
    )


def _refuse(problems: list[Problem], asked: set[str], model: Definition | Model) -> None:
    """Raise what is wrong: of what was asked in a call by its keyword, for no file holds it."""
    if not problems:
        return
    named = [_as_asked(problem, asked) for problem in problems]
    is_asked = any(problem.place in asked for problem in named)
    path = model.path if isinstance(model, Definition) else None
    raise ModelError(named, "" if is_asked or path is None else str(path))


def _as_asked(problem: Problem, asked: set[str]) -> Problem:
    """Name an option given in a call by its keyword."""
    key = problem.place.removeprefix("[fit] ")
    return Problem(problem.message, key) if key in asked else problem


def idle_warnings(model: Definition | Model, method: str | None) -> tuple[str, ...]:
    """Say which options of a definition the method asked for in place of its own does not use."""
    idle = idle_options(model.options, method) if isinstance(model, Definition) else ()
    if not idle:
        return ()
    listed = " and ".join(f"fit.{key}" for key in idle)
    are, them = ("is", "it") if len(idle) == 1 else ("are", "them")
    return (f"{listed} of the definition {are} not used: {method} has no use for {them}",)


def given_threads(threads: int) -> int:
    """Return the number of threads, checked.

    Raises
    ------
    FitError
        It is no whole number from 1 on.
    """
    fault = whole_number_fault(threads, 1)
    if fault:
        raise FitError(Problem(fault, "threads"))
    return int(threads)
