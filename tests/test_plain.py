"""Whatever a caller holds, as plain JSON."""

import json
from collections import OrderedDict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deployer.errors import InvalidRequest
from deployer.plain import plain, split

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": (1, True, None, "ü")}, {"a": [1, True, None, "ü"]}),
        (OrderedDict([(1, 2), (np.int64(3), 4), (NOON.date(), 5)]), {"1": 2, "3": 4, "2024-02-29": 5}),
        ([np.float32(0.5), np.int8(3), np.bool_(True), np.str_("x")], [0.5, 3, True, "x"]),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array(7), 7),
        (np.array([np.array([1]), "x"], dtype=object), [[1], "x"]),
        ([float("nan"), np.nan, np.float32("nan"), pd.NaT, pd.NA, Decimal("NaN")], [None] * 6),
        (Decimal("1.5"), 1.5),
        (
            [NOON, date(2024, 2, 29), pd.Timestamp(NOON)],
            ["2024-02-29T12:00:00+00:00", "2024-02-29", "2024-02-29T12:00:00+00:00"],
        ),
        (np.array(["2024-02-29T12", "NaT"], dtype="datetime64[ns]"), ["2024-02-29T12:00:00", None]),
        (np.datetime64("2024-02-29T12", "ns"), "2024-02-29T12:00:00"),
        (b"\x00\xff", "AP8="),
        (pd.Series([1.0, None]), [1.0, None]),
        (pd.Series(pd.to_datetime(["2024-02-29"])), ["2024-02-29T00:00:00"]),
        (pd.DataFrame({"a": [1], "b": ["x"]}), [{"a": 1, "b": "x"}]),
        (pd.Index(["a", "b"]), ["a", "b"]),
    ],
)
def test_it_becomes_plain(value: Any, expected: Any) -> None:
    assert plain(value) == expected
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == expected


def test_a_frame_is_split_into_columns_and_rows() -> None:
    frame = pd.DataFrame(
        {"n": [1.5, np.nan], 2: pd.array([1, None], dtype="Int64"), "kind": pd.Categorical(["x", None])}, index=[7, 9]
    )
    assert split(frame) == {"columns": ["n", 2, "kind"], "data": [[1.5, 1, "x"], [None, None, None]]}


@pytest.mark.parametrize("value", [float("inf"), np.array([-np.inf]), object(), 1j, np.array([1j]), np.longdouble(1)])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        plain([{"deep": value}])
    assert refused.value.what
