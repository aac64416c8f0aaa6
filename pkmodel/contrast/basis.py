"""What the verdicts of a comparison rest on: what was declared, and whether steady state came."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pkmodel.exposure.remark import EARLY


@dataclass(frozen=True)
class Basis:
    """One thing that verdicts rest on.

    Attributes
    ----------
    name : str
    mark : str
        ``"ok"``, ``"look"`` where it has to be looked at, ``"-"`` where there is nothing to check.
    finding : str
    """

    name: str
    mark: str
    finding: str

    @property
    def warning(self) -> tuple[str, ...]:
        """The finding where it has to be looked at."""
        return (self.finding,) if self.mark == "look" else ()


def reference_basis(reference: str, *, is_declared: bool) -> Basis:
    """Say where the reference group is from."""
    if is_declared:
        return Basis("reference", "ok", f"{reference}, as declared")
    text = f"no reference was declared: {reference}, the last group, is taken"
    return Basis("reference", "look", text)


def margin_basis(margin: tuple[float, float], *, is_declared: bool) -> Basis:
    """Say where the margin is from."""
    span = f"{margin[0]:g} to {margin[1]:g}"
    if is_declared:
        return Basis("margin", "ok", f"{span}, as declared")
    text = (
        f"no margin was declared: {span} is that of bioequivalence, and no limit for children; "
        "declare yours"
    )
    return Basis("margin", "look", text)


def steady_state_basis(exposure: pd.DataFrame) -> Basis:
    """Judge whether a constant rate lasted to steady state, by the model's own half-lives.

    Parameters
    ----------
    exposure : DataFrame
        Model-based, a row per subject.
    """
    name = "steady state by the model"
    if "R0_LASTS" not in exposure:
        return Basis(name, "-", "no infusion at a constant rate")
    short = int((exposure["R0_LASTS"] < exposure["T90"]).sum())
    known = int(exposure["R0_LASTS"].notna().sum())
    if not short:
        text = f"in all {known} subjects a constant rate lasted to 90 % of steady state"
        return Basis(name, "ok", text)
    text = (
        f"in {short} of {known} subjects no constant rate lasted to 90 % of steady "
        "state: their Css is what the rate would have led to, and was not reached"
    )
    return Basis(name, "look", text)


def plateau_basis(plain: pd.DataFrame) -> Basis:
    """Judge whether plateau samples were drawn at steady state, by each subject's own half-life.

    Parameters
    ----------
    plain : DataFrame
        Of `noncompartmental_table`.
    """
    name = "plateau samples"
    known = int(plain["CSS"].notna().sum())
    if not known:
        return Basis(name, "-", "no subject has a steady-state concentration without a model")
    early = int(plain["NOTE"].str.contains(EARLY, regex=False).sum())
    if not early:
        text = f"none of {known} subjects has one that is known to be drawn before steady state"
        return Basis(name, "ok", text)
    text = (
        f"without a model, {early} of {known} subjects have a plateau sample drawn "
        "before steady state by their own half-life, so that Css is too low and CL too high; "
        "noncompartmental.csv names them, --settle waits longer"
    )
    return Basis(name, "look", text)
