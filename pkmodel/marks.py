"""How a figure of the literature came here: the mark that stands beside each that is shipped."""

from __future__ import annotations

from collections.abc import Mapping

MARKS: Mapping[str, str] = {
    "SAW": "read in a copy of the source",
    "SAW-2": "read in a secondary transcription",
    "DERIVED": "computed from figures so marked",
}
"""Marks and what they mean. A figure from memory has none and is not shipped."""
