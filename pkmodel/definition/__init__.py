"""Fit definitions: TOML files and the same data, model and options that Python users write."""

from __future__ import annotations

from pkmodel.definition.given import (
    given_data,
    given_model,
    given_options,
    given_threads,
    idle_warnings,
)
from pkmodel.definition.model_check import check_model
from pkmodel.definition.option_check import FULL_BAYES, METHODS, option_problems
from pkmodel.definition.reading import read_definition
from pkmodel.definition.record import DataSpec, Definition
from pkmodel.definition.writing import dumps, write_definition

__all__ = [
    "FULL_BAYES",
    "METHODS",
    "DataSpec",
    "Definition",
    "check_model",
    "dumps",
    "given_data",
    "given_model",
    "given_options",
    "given_threads",
    "idle_warnings",
    "option_problems",
    "read_definition",
    "write_definition",
]
