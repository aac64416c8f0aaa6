"""Read the files of a run; refuse a folder without one, or files that do not fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from pkmodel.draws.draws_table import draws_table
from pkmodel.errors import PkmodelError, Problem
from pkmodel.report.run_schema import Comparison, Contrast, FitDocument
from pkmodel.suggestion import suggest

FIT = "fit.json"
SHOWN = 5
DIFFERENT = "the files are damaged or of different runs; run the fit again with --out"
PREDICTIONS = ("ID", "TIME", "DV", "PRED", "IPRED", "IRES", "IWRES", "CWRES", "CENS")
ITERATIONS = ("start", "iteration", "phase")
TRACE = ("start", "evaluation", "likelihood", "objective", "gradient_norm")
GROUP_SUMMARY = (
    "group", "metric", "kind", "n", "mean", "sd", "median", "min", "max", "geometric_mean",
    "geometric_cv", "p05", "p95",
)  # fmt: skip
PUBLISHED = ("group", "metric", "unit", "source")
TEXTS = (
    "ID", "GROUP", "MODE", "likelihood", "phase", "group", "metric", "kind", "unit", "source",
    "NOTE",
)  # fmt: skip
"""Columns that are never taken for numbers, whatever stands in them."""


@dataclass(frozen=True)
class Correlations:
    """Correlations of the estimates: names, and a matrix (n, n)."""

    names: tuple[str, ...]
    matrix: NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """What a folder of a run holds.

    Attributes
    ----------
    folder : Path
    digest : str
        sha256 of fit.json, by which a page and its run can be matched.
    document : dict
        fit.json.
    individuals, predictions, trace : DataFrame
        IDs are texts.
    correlations : Correlations or None
        From fit.nc; None where no standard errors were computed.
    draws : DataFrame or None
        Of a posterior, from fit.nc: chain, draw, and a column for each population parameter.
    groups : DataFrame or None
        groups.csv.
    contrasts : list of dict or None
        contrasts.json.
    comparison : dict or None
        comparison.json.
    exposure, noncompartmental : DataFrame or None
        A row per subject.
    iterations : DataFrame or None
        iterations.csv, of SAEM.
    published : DataFrame or None
        published.csv, where it has rows.
    """

    folder: Path
    digest: str
    document: dict[str, Any]
    individuals: pd.DataFrame
    predictions: pd.DataFrame
    trace: pd.DataFrame
    correlations: Correlations | None
    draws: pd.DataFrame | None
    groups: pd.DataFrame | None
    contrasts: list[dict[str, Any]] | None
    comparison: dict[str, Any] | None
    exposure: pd.DataFrame | None
    noncompartmental: pd.DataFrame | None
    iterations: pd.DataFrame | None
    published: pd.DataFrame | None


def read_run(folder: Path) -> Run:
    """Read the folder that ``pkmodel fit --out`` wrote.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Run

    Raises
    ------
    PkmodelError
        There is no such folder, it holds no run, or its files are damaged or of different runs.
    """
    _check_folder(folder)
    content = _content(folder / FIT)
    document = _document(content, folder / FIT)
    effects = [f"ETA_{name}" for name in document["shrinkage"]["eta"]]
    individuals = _table(
        folder / "individuals.csv", ["ID", *effects, *document["distribution"], "OFV", "MODE"]
    )
    predictions = _table(folder / "predictions.csv", PREDICTIONS)
    exposure = _optional(folder / "exposure.csv", lambda path: _table(path, ["ID"]))
    plain = _optional(folder / "noncompartmental.csv", lambda path: _table(path, ["ID"]))
    _check_same_run(document, individuals, predictions, folder)
    for name, table in (("exposure.csv", exposure), ("noncompartmental.csv", plain)):
        if table is not None and list(table["ID"]) != list(individuals["ID"]):
            raise PkmodelError(
                f"its subjects are not those of individuals.csv; {DIFFERENT}", str(folder / name)
            )
    return Run(
        folder=folder,
        digest=sha256(content).hexdigest(),
        document=document,
        individuals=individuals,
        predictions=predictions,
        trace=_table(folder / "trace.csv", TRACE),
        correlations=_optional(folder / "fit.nc", _correlations),
        draws=_optional(folder / "fit.nc", _draws) if document["posterior"] else None,
        groups=_optional(folder / "groups.csv", lambda path: _table(path, GROUP_SUMMARY)),
        contrasts=_optional(folder / "contrasts.json", _contrasts),
        comparison=_optional(folder / "comparison.json", _comparison),
        exposure=exposure,
        noncompartmental=plain,
        iterations=_optional(folder / "iterations.csv", lambda path: _table(path, ITERATIONS)),
        published=_optional(folder / "published.csv", _published),
    )


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise PkmodelError(
            f"{folder} {what}; expected the folder that `pkmodel fit FILE --out FOLDER` wrote"
        )
    if not (folder / FIT).is_file():
        below = sorted(path.parent.name for path in folder.glob(f"*/{FIT}"))
        hint = f"; {suggest('', below, 'runs in it')}" if below else ""
        raise PkmodelError(
            f"{folder} holds no {FIT}: no run was written there; expected the folder that "
            f"`pkmodel fit FILE --out FOLDER` wrote{hint}"
        )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise PkmodelError(
            f"{path} is missing: the run is not complete; run the fit again with --out"
        ) from None


def _optional[T](path: Path, read: Callable[[Path], T]) -> T | None:
    """Read a file that not every run has."""
    return read(path) if path.is_file() else None


# -- JSON ---------------------------------------------------------------------------------------


def _document(content: bytes, path: Path) -> dict[str, Any]:
    try:
        return FitDocument.model_validate_json(content).model_dump()
    except ValidationError as error:
        raise _damaged(path, error) from None


def _contrasts(path: Path) -> list[dict[str, Any]]:
    try:
        rows = TypeAdapter(list[Contrast]).validate_json(_content(path))
    except ValidationError as error:
        raise _damaged(path, error) from None
    return [row.model_dump() for row in rows]


def _comparison(path: Path) -> dict[str, Any]:
    try:
        return Comparison.model_validate_json(_content(path)).model_dump()
    except ValidationError as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: ValidationError) -> PkmodelError:
    """Say what does not have the shape that a fit writes."""
    faults = error.errors(include_url=False, include_input=False)
    problems = [
        Problem(fault["msg"].lower(), ".".join(str(part) for part in fault["loc"]))
        for fault in faults[:SHOWN]
    ]
    if len(faults) > SHOWN:
        problems.append(Problem(f"and {len(faults) - SHOWN} more"))
    problems.append(Problem("the file is damaged, or of another program or version; run it again"))
    return PkmodelError(problems, str(path))


# -- tables -------------------------------------------------------------------------------------


def _table(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Read a table whose texts stay as they are and whose other columns are numbers or missing."""
    try:
        texts = pd.read_csv(
            BytesIO(_content(path)), dtype=str, keep_default_na=False, encoding="utf-8"
        )
    except (ValueError, pd.errors.ParserError) as error:
        raise PkmodelError(
            f"the table cannot be read ({error}); run the fit again with --out", str(path)
        ) from None
    problems = [
        Problem(f"no column {name}; {suggest(name, map(str, texts.columns), 'its columns')}")
        for name in columns
        if name not in texts
    ]
    if problems:
        raise PkmodelError(problems, str(path))
    return _with_numbers(texts)


def _published(path: Path) -> pd.DataFrame | None:
    """Read published summaries; none where the table has no row."""
    table = _table(path, PUBLISHED)
    return table if len(table) else None


def _with_numbers(texts: pd.DataFrame) -> pd.DataFrame:
    """Turn into numbers every column that holds nothing else."""
    table = texts.copy()
    for name in texts.columns:
        if name not in TEXTS:
            values = pd.to_numeric(texts[name].where(texts[name] != ""), errors="coerce")
            if not (values.isna() & (texts[name] != "")).any():
                table[name] = values.astype(float)
    return table


def _check_same_run(
    document: dict[str, Any], individuals: pd.DataFrame, predictions: pd.DataFrame, folder: Path
) -> None:
    """Refuse tables that are cut off or of another run than fit.json."""
    problems = [
        Problem(f"{found} rows, where {FIT} counts {expected}", name)
        for name, found, expected in (
            ("individuals.csv", len(individuals), document["n_subjects"]),
            ("predictions.csv", len(predictions), document["n_observations"]),
        )
        if found != expected
    ]
    strangers = sorted(set(predictions["ID"]) - set(individuals["ID"]))
    if strangers:
        problems.append(
            Problem(f"subject {strangers[0]} is not in individuals.csv", "predictions.csv")
        )
    numeric = [name for name in PREDICTIONS if name != "ID"]
    problems += [
        Problem(f"column {name} holds something else than numbers", table_name)
        for table_name, table, names in (
            ("predictions.csv", predictions, numeric),
            ("individuals.csv", individuals, [c for c in individuals if str(c)[:4] == "ETA_"]),
        )
        for name in names
        if table[name].dtype != float
    ]
    if problems:
        problems.append(Problem(DIFFERENT))
        raise PkmodelError(problems, str(folder))


# -- fit.nc -------------------------------------------------------------------------------------


def _correlations(path: Path) -> Correlations | None:
    """Read the covariance of the estimates."""
    with _opened(path) as file:
        estimates = file["estimates"]
        if "covariance" not in estimates:
            return None
        names = tuple(name.decode() for name in estimates["parameter"][:])
        covariance = np.asarray(estimates["covariance"][:], dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = np.sqrt(np.diag(covariance))
        return Correlations(names, covariance / np.outer(deviation, deviation))


def _draws(path: Path) -> pd.DataFrame:
    """Read the draws of the population parameters."""
    with _opened(path) as file:
        posterior = file["posterior"]
        names = [name.decode() for name in posterior["parameter"][:]]
        return draws_table(np.asarray(posterior["population"][:], dtype=float), names)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file; what cannot be read in it is said."""
    import h5py

    try:
        with h5py.File(path) as file:
            yield file
    except (OSError, KeyError) as error:
        raise PkmodelError(
            f"the file cannot be read ({error}); run the fit again with --out", str(path)
        ) from None
