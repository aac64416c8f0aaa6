"""What the methods of estimation are called in print."""

from __future__ import annotations

METHOD_NAMES = {
    "fo": "FO",
    "foce": "FOCE",
    "focei": "FOCE-I",
    "laplace": "Laplace",
    "agq": "adaptive quadrature",
    "imp": "importance sampling",
    "saem": "SAEM",
    "nuts": "full Bayes (NUTS)",
}

STARTS_JUDGED = {
    "agq": "by Laplace",
    "imp": "by Laplace",
    "saem": "before the likelihood was refined",
}
"""Methods whose starts are compared by other objectives than that of the fit, and by which."""
