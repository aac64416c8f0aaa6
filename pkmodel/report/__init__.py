"""One page about a run: self-contained HTML from the files that a fit has written.

Nothing is fitted or computed anew here; every number comes from the folder's files.
"""

from __future__ import annotations

from pkmodel.report.writing import write_report

__all__ = ["write_report"]
