# SPDX-License-Identifier: Apache-2.0
"""What a run leaves behind, as a program without Lithouse collects it: open figures as pictures, data frames as rows."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from typing import Any

_ROWS = 1000


def charts() -> list[dict[str, Any]]:
    """Every open figure as PNG in its own size."""
    from matplotlib import pyplot

    found = []
    for number in pyplot.get_fignums():
        buffer = io.BytesIO()
        pyplot.figure(number).savefig(buffer, format="png")
        found.append({"type": "matplotlib", "format": "png", "data": base64.b64encode(buffer.getvalue()).decode()})
    pyplot.close("all")
    return found


def frames(namespace: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The first rows of every data frame in a global, by the quickest way that pandas has."""
    import pandas

    found = []
    for name, value in namespace.items():
        if isinstance(value, pandas.DataFrame) and not name.startswith("_"):
            rows = json.loads(value.head(_ROWS).to_json(orient="split", date_format="iso"))
            found.append({"name": name, "shape": value.shape, **rows})
    return found
