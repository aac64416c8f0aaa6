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
