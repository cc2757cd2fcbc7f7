# SPDX-License-Identifier: Apache-2.0
"""The pretended instruments: what they measure at any moment, and what counts as an alert. Shared by all pages."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy
import pandas
import streamlit as st

KEPT_SECONDS = 90
RATE = 8


@dataclass(frozen=True)
class Instrument:
    """One signal: a slow swell, a faster ripple, noise, and now and then a jolt."""

    name: str
    unit: str
    middle: float
    swell: float
    period: float
    colour: str
    limit: float


INSTRUMENTS = [
    Instrument("Wind", "kn", 18.0, 5.5, 37.0, "#38bdf8", 26.0),
    Instrument("Wave height", "m", 2.1, 0.7, 23.0, "#34d399", 3.1),
    Instrument("Lamp current", "A", 6.4, 0.5, 61.0, "#f59e0b", 7.4),
]


def measure(instrument: Instrument, moments: numpy.ndarray) -> numpy.ndarray:
    """The signal at these moments: the same moment gives the same value to every visitor."""
    ticks = numpy.floor(moments * RATE).astype(numpy.int64)
    noise = numpy.sin(ticks * 12.9898 + instrument.middle) * 43758.5453
    noise = (noise - numpy.floor(noise) - 0.5) * instrument.swell * 0.5
    swell = numpy.sin(moments * 2 * numpy.pi / instrument.period)
    ripple = 0.35 * numpy.sin(moments * 2 * numpy.pi / (instrument.period / 7.3))
    jolt = numpy.exp(-(((moments % (instrument.period * 1.7)) - 9) ** 2) / 1.5) * 1.1
    return instrument.middle + instrument.swell * (swell + ripple + jolt) + noise


def window(end: float, seconds: float) -> pandas.DataFrame:
    """All signals over the last `seconds` before `end`."""
    moments = numpy.arange(end - seconds, end, 1 / RATE)
    columns = {instrument.name: measure(instrument, moments) for instrument in INSTRUMENTS}
    return pandas.DataFrame({"time": pandas.to_datetime(moments, unit="s"), **columns})


def now() -> float:
    """The moment the visitor looks at: the clock, or where they stopped it."""
    return st.session_state.get("stopped_at") or time.time()


def note_alerts(values: pandas.Series) -> None:
    """Writes down every signal that has just passed its limit, once for each time that it does."""
    state = st.session_state
    above, journal = state.setdefault("above", set()), state.setdefault("journal", [])
    for instrument in INSTRUMENTS:
        value = float(values[instrument.name])
        if value > instrument.limit and instrument.name not in above:
            entry = {"time": values["time"].strftime("%H:%M:%S"), "signal": instrument.name, "value": round(value, 2)}
            journal.append({**entry, "limit": instrument.limit, "note": ""})
            above.add(instrument.name)
        elif value <= instrument.limit * 0.97:
            above.discard(instrument.name)
