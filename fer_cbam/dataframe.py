"""Rows -> pandas, which is loaded when a table is asked for, and not before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas


def dataframe(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pandas.DataFrame:
    """A table of the rows. columns: come first, in this order, also where no row has them.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise ImportError(
            "to_dataframe() needs pandas, which is not installed; expected: pip install pandas"
        ) from error
    others = dict.fromkeys(name for row in rows for name in row if name not in columns)
    return pd.DataFrame(list(rows), columns=[*columns, *others])
