"""The comparison of fits: its tables, and what must be said beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pkmodel.model_comparison.testing import LikelihoodRatio
from pkmodel.model_comparison.text import RULES, comparison_text


@dataclass(frozen=True)
class ModelComparison:
    """Fits of the same data, judged by one likelihood.

    Attributes
    ----------
    table : DataFrame
        A row per fit: ``method``, ``status``, ``parameters`` (free ones), ``objective`` (by the
        method itself), ``exact`` (objective by the exact likelihood at the same estimates) and its
        ``error`` (of quadrature, or Monte Carlo), ``above_minimum`` (how far the exact objective
        would fall if it were minimised, to second order), ``difference`` of the exact objective to
        the smallest and its ``difference_error``, ``aic``, ``bic``, ``mixed_bic``, and of subjects
        left out ``elpd``
        (expected log predictive density) with ``elpd_se``, ``elpd_difference`` to the largest with
        ``elpd_difference_se``, and ``pareto_k``, the worst of a posterior. Numbers that a fit does
        not have are NaN.
    tests : DataFrame
        A row per pair of fits: ``smaller``, ``larger``, ``statistic``, ``error``,
        ``own_statistic`` (by the method's own objectives), ``law``, ``p``, ``held``, ``note``; see
        `LikelihoodRatio`.
    subjects : DataFrame
        A row per subject and fit: ``ID``, ``fit``, ``exact`` (its part of the exact objective),
        ``elpd``, ``pareto_k``.
    likelihoods : dict of str to str
        How the exact likelihood was computed, by fit.
    n_subjects, n_observations : int
        Observations that the likelihood uses.
    data : str
    is_virtual : bool
        Whether the subjects are simulated.
    warnings : tuple of str
    """

    table: pd.DataFrame = field(repr=False)
    tests: pd.DataFrame = field(repr=False)
    subjects: pd.DataFrame = field(repr=False)
    likelihoods: dict[str, str]
    n_subjects: int
    n_observations: int
    data: str
    is_virtual: bool
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        return comparison_text(self.to_dict())

    def _repr_html_(self) -> str:
        parts = ["<p><b>VIRTUAL</b>: simulated subjects, none of a patient</p>"] * self.is_virtual
        parts += [self.table.to_html(na_rep="", float_format="{:.4g}".format)]
        parts += [self.tests.to_html(na_rep="", index=False, float_format="{:.4g}".format)]
        notes = [*self.warnings, *RULES]
        parts.append("<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>")
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as a JSON document; what is not known is null."""
        from pkmodel import __version__

        return {
            "pkmodel": __version__,
            "data": self.data,
            "virtual": self.is_virtual,
            "n_subjects": self.n_subjects,
            "n_observations": self.n_observations,
            "likelihoods": dict(self.likelihoods),
            "fits": _rows(self.table.rename_axis("fit").reset_index()),
            "tests": _rows(self.tests),
            "warnings": list(self.warnings),
        }

    def write(self, folder: Path) -> None:
        """Write the comparison's files into a folder that exists.

        Parameters
        ----------
        folder : Path
            Gets model_comparison.csv and .json, likelihood_ratios.csv (the tests) and
            model_comparison_subjects.csv.
        """
        self.table.rename_axis("fit").to_csv(folder / "model_comparison.csv")
        self.tests.to_csv(folder / "likelihood_ratios.csv", index=False)
        self.subjects.to_csv(folder / "model_comparison_subjects.csv", index=False)
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False)
        (folder / "model_comparison.json").write_text(text + "\n", encoding="utf-8")


def tests_table(tests: tuple[LikelihoodRatio, ...]) -> pd.DataFrame:
    """Tabulate tests."""
    columns = {
        "smaller": [t.smaller for t in tests],
        "larger": [t.larger for t in tests],
        "statistic": [t.statistic for t in tests],
        "error": [t.error for t in tests],
        "own_statistic": [t.own_statistic for t in tests],
        "law": ["" if t.law is None else str(t.law) for t in tests],
        "p": [t.p for t in tests],
        "held": [", ".join(t.held) for t in tests],
        "note": [t.note for t in tests],
    }
    return pd.DataFrame(columns)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): _plain(value) for name, value in row.items()}
        for row in table.to_dict(orient="records")
    ]


def _plain(value: Any) -> Any:
    """Make a cell fit for JSON."""
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
