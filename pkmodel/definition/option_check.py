"""Whether the options of a fit exist and go together."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral

from pkmodel.errors import Problem
from pkmodel.models.model import Options
from pkmodel.suggestion import quoted, suggest

FULL_BAYES = "nuts"
"""The method whose result is a posterior; the others maximise a likelihood."""

METHODS = ("fo", "foce", "focei", "laplace", "agq", "imp", "saem", FULL_BAYES)
_CHOICES = {"censoring": ("m3", "m1"), "covariance": ("sandwich", "r", "s", "none")}
_LEAST = {"starts": 1, "seed": 0, "max_evaluations": 1}
_WHOLE = ("order", "draws", "chains", "tune")
_TARGETS = ("joint", "marginal")

OWNERS = {
    "interaction": ("laplace",),
    "order": ("agq",),
    "draws": ("imp", FULL_BAYES),
    "chains": ("saem", FULL_BAYES),
    "tune": (FULL_BAYES,),
    "target": (FULL_BAYES,),
}
"""Options that only some methods have a use for."""


def option_problems(options: Options) -> list[Problem]:
    """Check the options of a fit."""
    messages = {"method": _method_fault(options.method)}
    for key, known in _CHOICES.items():
        value = getattr(options, key)
        if value not in known:
            messages[key] = f"{quoted(value)} is not known ({suggest(str(value), known)})"
    for key, least in _LEAST.items():
        messages[key] = whole_number_fault(getattr(options, key), least)
    for key in _WHOLE:
        value = getattr(options, key)
        messages[key] = "" if value is None else whole_number_fault(value, 1)
    if not isinstance(options.interaction, bool | None):
        messages["interaction"] = f"expected true or false, got {quoted(options.interaction)}"
    if options.target not in (None, *_TARGETS):
        messages["target"] = (
            f"{quoted(options.target)} is not known ({suggest(str(options.target), _TARGETS)})"
        )
    for key, message in _misplaced(options).items():
        messages[key] = messages.get(key) or message
    return [Problem(message, f"[fit] {key}") for key, message in messages.items() if message]


def by_method(options: Options, method: str | None) -> Options:
    """Return options with another method; what it has no use for is as if it had not been said."""
    if method is None:
        return options
    default = Options()
    unused = {key: getattr(default, key) for key in idle_options(options, method)}
    return replace(options, method=method, **unused)


def idle_options(options: Options, method: str | None) -> tuple[str, ...]:
    """Options that are said, and that another method has no use for."""
    return () if method is None else tuple(_misplaced(replace(options, method=method)))


def _misplaced(options: Options) -> dict[str, str]:
    """Say why options that are given do not go with the method."""
    messages = {
        key: _owned_by(key, owners)
        for key, owners in OWNERS.items()
        if getattr(options, key) is not None and options.method not in owners
    }
    if options.method != FULL_BAYES:
        return messages
    if options.starts != 1:
        messages["starts"] = f"{FULL_BAYES} has chains instead; remove it"
    if options.max_evaluations != Options().max_evaluations:
        messages["max_evaluations"] = f"{FULL_BAYES} has draws and tune instead; remove it"
    if options.covariance in ("r", "s"):
        messages["covariance"] = f"errors of {FULL_BAYES} are those of its draws; remove it"
    return messages


def _owned_by(key: str, owners: tuple[str, ...]) -> str:
    methods = " or ".join(f'method = "{name}"' for name in owners)
    note = " (foce is without, focei with)" if key == "interaction" else ""
    return f"goes with {methods} only{note}; remove it"


def whole_number_fault(value: object, least: int) -> str:
    """Say what is wrong with a number that must be whole; nothing if it is right."""
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least:
        return ""
    return f"expected a whole number from {least} on, got {quoted(value)}"


def _method_fault(method: str) -> str:
    if method in METHODS:
        return ""
    return f"{quoted(method)} does not exist ({suggest(str(method), METHODS, 'available')})"
