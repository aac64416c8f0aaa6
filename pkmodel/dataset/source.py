"""From a file or a DataFrame to a raw table."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pkmodel.dataset.csv_text import read_csv
from pkmodel.dataset.raw_table import RawTable
from pkmodel.errors import DataError
from pkmodel.suggestion import suggest

if TYPE_CHECKING:
    import pandas as pd

FRAME = "DataFrame (line = position of the row + 2)"


def read_source(source: str | Path | pd.DataFrame, label: str) -> RawTable:
    """Read a CSV or parquet file, or take over a DataFrame.

    Parameters
    ----------
    source : str, Path or pandas.DataFrame
    label : str
        Name of the column that tells subjects apart.

    Returns
    -------
    RawTable

    Raises
    ------
    DataError
        There is no such file, or it cannot be read as a table.
    """
    if isinstance(source, str | Path):
        return _read_file(Path(source), str(source), label)
    import pandas as pd

    if not isinstance(source, pd.DataFrame):
        raise DataError(
            f"data of type {type(source).__name__}; expected a file name or a pandas DataFrame"
        )
    return _from_frame(source, FRAME, _frame_digest(source))


def _read_file(path: Path, name: str, label: str) -> RawTable:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(_no_such_file(path), name) from None
    except IsADirectoryError:
        raise DataError("this is a folder; name a file in it", name) from None
    except (OSError, ValueError) as error:
        raise DataError(f"the file cannot be read: {error}", name) from None
    digest = sha256(content).hexdigest()
    if content.startswith(b"PAR1"):
        return _from_frame(_parquet(content, name), name, digest)
    return read_csv(content, name, digest, label)


def _no_such_file(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"no such file, and no folder {folder}"
    others = sorted(p.name for p in folder.iterdir() if p.suffix in {".csv", ".parquet"})
    return f"no such file; {suggest(path.name, others, 'data files in its folder')}"


def _parquet(content: bytes, name: str) -> pd.DataFrame:
    import pandas as pd
    from pyarrow import ArrowException

    try:
        return pd.read_parquet(BytesIO(content))
    except (ArrowException, OSError, ValueError) as error:
        raise DataError(f"the parquet file cannot be read: {error}", name) from None


def _from_frame(frame: pd.DataFrame, source: str, digest: str) -> RawTable:
    if frame.empty:
        raise DataError("the table has no rows" if len(frame.columns) else "no columns", source)
    plain = frame.reset_index(drop=True)
    return RawTable(
        source=source,
        sha256=digest,
        names=[str(name).strip() for name in frame.columns],
        cells=[plain.iloc[:, k] for k in range(plain.shape[1])],
        line=np.arange(2, len(frame) + 2),
    )


def _frame_digest(frame: pd.DataFrame) -> str:
    """Digest names and values: numbers as float64 bytes, all else as text."""
    from pandas.api.types import is_numeric_dtype

    digest = sha256()
    for k, name in enumerate(frame.columns):
        cells = frame.iloc[:, k]
        digest.update(f"{name}\0".encode())
        if is_numeric_dtype(cells.dtype) and cells.dtype.kind != "c":
            digest.update(cells.to_numpy(dtype=np.float64, na_value=np.nan).tobytes())
        else:
            digest.update("\0".join(map(str, cells)).encode())
    return digest.hexdigest()
