"""What the command prints of a simulated trial, and of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pkmodel.covariates.body_surface import FORMULAS
from pkmodel.exposure.metric import METRICS
from pkmodel.simulate.plan import TrialPlan, chance_of
from pkmodel.simulate.trial import SimulatedTrial

_SHOWN = (4, 6, 8, 10, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 160, 192, 224, 256)


def simulation_summary(
    simulated: SimulatedTrial, file: Path | None, *, replaces: bool
) -> RenderableType:
    """Say who was simulated, what was recorded, and where it was written.

    Parameters
    ----------
    simulated : SimulatedTrial
    file : Path or None
        Where the table is; None if it was not written.
    replaces : bool
        A former table was there.
    """
    trial, table = simulated.trial, simulated.table
    former = "; replaces a former simulated table" if replaces else ""
    limit = f", limit of quantification {trial.lloq:g}" if trial.lloq is not None else ""
    return Group(
        _heading(trial.title),
        Text(f"VIRTUAL: simulated people, seed {simulated.seed}; nobody was measured", "yellow"),
        Text(
            f"time {trial.units.time}, amount {trial.units.amount}, concentration "
            f"{trial.units.concentration}{limit}; BSA by {FORMULAS[trial.bsa].title}"
        ),
        Text(""),
        _table(
            ("GROUP", "", "n", "age, years", "weight, kg", "BSA, m2", "doses", "samples", "below"),
            [_group_row(simulated, table, number) for number in range(1, len(trial.groups) + 1)],
            left=(1,),
        ),
        Text(""),
        Text(f"written to {file}{former}" if file else "nothing written; --out FILE keeps it"),
    )


def _group_row(simulated: SimulatedTrial, table: pd.DataFrame, number: int) -> list[str]:
    people = simulated.subjects[simulated.subjects["GROUP"] == number]
    rows = table[table["GROUP"] == number]
    samples = rows[rows["EVID"] == 0]
    return [
        str(number),
        simulated.trial.groups[number - 1].name,
        str(len(people)),
        *(_range(people[name]) for name in ("AGE", "WT", "BSA")),
        str(len(rows) - len(samples)),
        str(len(samples)),
        f"{int(samples['CENS'].sum())}",
    ]


def _range(values: pd.Series[float]) -> str:
    return f"{values.min():.3g} to {values.max():.3g}"


def plan_summary(plan: TrialPlan) -> RenderableType:
    """Say how many subjects are needed, and what that rests on."""
    trial, goal = plan.trial, plan.trial.goal
    others = [group.name for group in trial.groups if group.name != goal.reference]
    lines: list[RenderableType] = [
        _heading(trial.title),
        Text(f"VIRTUAL: {plan.trials} simulated trials at each n, seed {plan.seed}", "yellow"),
        Text(
            f"{METRICS[goal.metric].title}, 90 % interval of the ratio to {goal.reference} inside "
            f"{goal.margin.low:g} to {goal.margin.high:g}"
        ),
        Text(f"plateau: {goal.rule}"),
        Text(""),
        _table(
            ("group", "true ratio", "log-SD", "no plateau"),
            [_truth_row(plan, name) for name in (goal.reference, *others)],
            left=(0,),
        ),
        Text(""),
        _table(("n per group", "chance", "MC error", *others), _curve_rows(plan, others)),
        Text(""),
        _answer(plan),
    ]
    return Group(*lines)


def _truth_row(plan: TrialPlan, name: str) -> list[str]:
    ratio = f"{plan.ratio[name]:.3f}" if name in plan.ratio else "reference"
    return [name, ratio, f"{plan.log_sd[name]:.3f}", f"{100 * plan.missing[name]:.1f} %"]


def _curve_rows(plan: TrialPlan, others: Sequence[str]) -> list[list[str]]:
    shown = {*_SHOWN, *([plan.n] if plan.n is not None else [])}
    last = 2 * plan.n if plan.n is not None else np.inf
    rows = plan.curve[plan.curve["n"].isin(shown) & (plan.curve["n"] <= last)]
    return [
        [
            str(int(row["n"])),
            f"{row['chance']:.3f}",
            f"{row['se']:.3f}",
            *(f"{row[chance_of(name)]:.3f}" for name in others),
        ]
        for row in rows.to_dict("records")
    ]


def _answer(plan: TrialPlan) -> Text:
    wanted = f'{100 * plan.power:g} % chance of the verdict "equivalent"'
    most = int(plan.curve["n"].iloc[-1])
    margin = plan.trial.goal.margin
    outside = [n for n, r in plan.ratio.items() if not margin.low < r < margin.high]
    if plan.n is not None:
        low, high = plan.between
        up_to = f"{high}" if high is not None else f"more than {most}"
        between = "" if low == high else f" ({low} to {up_to} within two Monte Carlo errors)"
        return Text(f"{plan.n} per group give a {wanted}{between}", "bold green")
    if outside:
        reason = f"the true ratio of {', '.join(outside)} is outside the margin"
        return Text(f"no number gives a {wanted}: {reason}", "bold red")
    return Text(f"more than {most} per group are needed for a {wanted}", "bold red")


def _heading(title: str) -> Text:
    return Text(title, "bold")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int] = ()) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for k, name in enumerate(header):
        table.add_column(Text(name), justify="left" if k in left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
