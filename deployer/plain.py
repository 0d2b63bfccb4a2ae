"""Values as plain JSON, without importing the libraries that they come from."""

import base64
import math
from collections.abc import Mapping, Set
from datetime import date, time
from decimal import Decimal
from typing import Any

from deployer.errors import InvalidRequest


def plain(value: Any) -> Any:
    """The value as what JSON has: missing numbers and dates as null, dates in ISO 8601, bytes in base 64.

    Arrays become nested lists, a DataFrame a list of its rows as objects.

    Raises:
        InvalidRequest: JSON has nothing for it.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | Decimal):
        return _number(float(value))
    if isinstance(value, date | time):
        return None if value != value else value.isoformat()  # noqa: PLR0124
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    return _collection(value)


def is_frame(value: Any) -> bool:
    """Whether it is a pandas DataFrame."""
    return _library(value) == "pandas" and hasattr(value, "columns") and hasattr(value, "to_dict")


def split(frame: Any) -> dict[str, Any]:
    """A DataFrame as its columns' names and its rows."""
    content = frame.to_dict(orient="split")
    return {"columns": plain(content["columns"]), "data": plain(content["data"])}


def _number(value: float) -> float | None:
    if math.isinf(value):
        raise InvalidRequest("An infinite number cannot be sent as JSON.", hint="Replace it by a finite one or None.")
    return None if math.isnan(value) else value


def _collection(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | Set):
        return [plain(item) for item in value]
    if is_frame(value):
        return plain(value.to_dict(orient="records"))
    if _library(value) == "pandas" and type(value).__name__ == "NAType":
        return None
    if callable(getattr(value, "tolist", None)):
        return plain(_listed(value))
    raise InvalidRequest(
        f"A value of the type {type(value).__module__}.{type(value).__qualname__} cannot be sent as JSON.",
        hint="Send lists, dicts, texts, numbers, dates, numpy arrays or pandas DataFrames.",
    )


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    content = plain(key)
    return content if isinstance(content, str) else str(content)


def _listed(array: Any) -> Any:
    if getattr(getattr(array, "dtype", None), "kind", "") == "M" and _library(array) == "numpy":
        # In nanoseconds, numpy would give plain numbers.
        array = array.astype("datetime64[us]")
    listed = array.tolist()
    if type(listed) is type(array):
        raise InvalidRequest(f"A value of the numpy type {array.dtype} cannot be sent as JSON.")
    return listed


def _library(value: Any) -> str:
    return type(value).__module__.partition(".")[0]
