"""The figures: goodness of fit, individual fits, random effects."""

from __future__ import annotations

import pandas as pd

from pkmodel.number import count, listed
from pkmodel.plots.goodness_of_fit import observed_against_predicted, weighted_residuals
from pkmodel.plots.individual_fits import individual_fits
from pkmodel.plots.random_effects import effect_against_covariates, effect_distribution
from pkmodel.plots.scatter import TREND_NAME
from pkmodel.report.content import Part, Section, Text
from pkmodel.report.drawing import draw
from pkmodel.report.run_folder import Run
from pkmodel.report.subjects import Subjects


def goodness_section(run: Run, subjects: Subjects, is_virtual: bool) -> Section:
    """Draw observations against predictions, and residuals, of the subjects with a mode."""
    units = run.document["units"]
    table = subjects.with_mode().predictions
    if table.empty:
        return Section("fit", "Goodness of fit", (NOTHING_TO_DRAW,))
    identity = observed_against_predicted(
        table, concentration=units["concentration"], is_virtual=is_virtual
    )
    residuals = weighted_residuals(
        table, time=units["time"], concentration=units["concentration"], is_virtual=is_virtual
    )
    return Section(
        "fit",
        "Goodness of fit",
        (
            draw(
                identity,
                "Observations against population and individual predictions. Grey: identity; "
                f"{TREND_NAME}: a smooth trend of the quantified observations.{_censored(table)}",
            ),
            draw(
                residuals,
                "Conditional weighted residuals (CWRES) against time and population prediction, "
                "individual weighted residuals (IWRES) against individual prediction, and the "
                "quantiles of CWRES with the 95 % band that each would keep to if they were "
                f"standard normal. Dashed: ±1.96; {TREND_NAME}: a smooth trend."
                f"{_without_residual(table)}",
            ),
        ),
    )


NOTHING_TO_DRAW = Text("No subject has a mode; there is nothing to draw.")


def _censored(table: pd.DataFrame) -> str:
    censored = int((table["CENS"] == 1).sum())
    return (
        f" Triangles: {count(censored, 'row')} below quantification, at the limit."
        if censored
        else ""
    )


def _without_residual(table: pd.DataFrame) -> str:
    censored = int((table["CENS"] == 1).sum())
    if not censored:
        return ""
    return f" Rows below quantification ({censored}) have no residual and are not drawn."


def individual_section(run: Run, subjects: Subjects, is_virtual: bool) -> Section:
    """Draw every subject; of one without a mode the individual prediction is left out."""
    units = run.document["units"]
    table = subjects.predictions.copy()
    failed = subjects.individuals.loc[subjects.individuals["MODE"] != "found", "ID"]
    table.loc[table["ID"].isin(failed), "IPRED"] = float("nan")
    pages = individual_fits(
        table, time=units["time"], concentration=units["concentration"], is_virtual=is_virtual
    )
    caption = (
        "Circles: observations; blue: individual prediction; grey, dashed: population prediction. "
        "Lines join the predictions at the times of the observations; the course between them, "
        "with its doses, is not in the run's files. Each panel has its own axes."
    )
    pictures = [
        draw(
            page, f"Individual fits, page {k} of {len(pages)}. {caption if k == 1 else ''}".strip()
        )
        for k, page in enumerate(pages, start=1)
    ]
    return Section("individuals", "Individual fits", tuple(pictures))


def effect_section(run: Run, subjects: Subjects, is_virtual: bool) -> Section:
    """Draw the random effects between subjects, and each against the covariates."""
    document = run.document
    shrinkage = document["shrinkage"]["eta"]
    omega = {
        name: entry["estimate"] for name, entry in document["omega"].items() if name in shrinkage
    }
    table = subjects.with_mode().individuals
    if not omega:
        return Section(
            "effects", "Random effects", (Text("The model has no effects between subjects."),)
        )
    if table.empty:
        return Section("effects", "Random effects", (NOTHING_TO_DRAW,))
    drawn, others = _drawn_covariates(table, subjects.covariates)
    parts: list[Part] = [
        draw(
            effect_distribution(table, omega, shrinkage, is_virtual=is_virtual),
            "Random effects at the modes; curve: the normal density with the variance ω² of the "
            "model. Where shrinkage is large the modes are drawn to zero, and neither their "
            "spread, nor their correlations, nor trends against covariates can be trusted.",
        )
    ]
    for name in omega if drawn else ():
        parts.append(
            draw(
                effect_against_covariates(
                    table, name, drawn, shrinkage[name], is_virtual=is_virtual
                ),
                f"η of {name} against covariates; {TREND_NAME}: a smooth trend, or the median "
                "of a box.",
            )
        )
    if others:
        parts.append(
            Text(f"Not drawn, as all subjects with a mode have the same: {listed(others, 50)}.")
        )
    return Section("effects", "Random effects", tuple(parts))


def _drawn_covariates(table: pd.DataFrame, names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Part the covariates into those that differ between subjects and those that do not."""
    drawn = [n for n in names if table[n].dtype == float and table[n].min() < table[n].max()]
    return drawn, [name for name in names if name not in drawn]
