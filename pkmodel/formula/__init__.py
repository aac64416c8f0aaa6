"""Formulas of typical values: from text to a function of the thetas with its exact Jacobian.

`parse_formula` reads the text, `bind` puts the covariates in, and the bound formula is evaluated as
often as an estimator asks. Free text is never handed to the interpreter. `blocks` holds the
covariate relations that have a name.
"""

from __future__ import annotations

from pkmodel.formula.binding import BoundFormula, bind
from pkmodel.formula.reading import Formula, parse_formula

__all__ = ["BoundFormula", "Formula", "bind", "parse_formula"]
