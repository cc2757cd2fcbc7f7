# SPDX-License-Identifier: Apache-2.0
"""Instruments of a lighthouse, live: one part of the page moves every second, the rest stays where it is."""

from __future__ import annotations

import time

import plotly.graph_objects
import plotly.subplots
import streamlit as st
from signals import INSTRUMENTS, KEPT_SECONDS, note_alerts, now, window

st.title("Live signals")
st.caption("Three pretended instruments. Alerts go to the journal; the spectrum shows what a signal is made of.")


def stop_or_go() -> None:
    """Holds the picture where it is, or lets it run again."""
    st.session_state["stopped_at"] = None if st.session_state["running"] else time.time()


settings = st.columns([1, 2, 3])
settings[0].toggle("Running", value=st.session_state.get("stopped_at") is None, key="running", on_change=stop_or_go)
seconds = settings[1].select_slider("Seconds shown", [15, 30, 60, KEPT_SECONDS], value=30)
shown = settings[2].multiselect("Signals", [one.name for one in INSTRUMENTS], [one.name for one in INSTRUMENTS])


@st.fragment(run_every=1.0 if st.session_state["running"] else None)
def live() -> None:
    """The moving part: figures and curves, drawn again every second without the rest of the page."""
    frame = window(now(), seconds)
    last = frame.iloc[-1]
    note_alerts(last)
    chosen = [one for one in INSTRUMENTS if one.name in shown]
    if not chosen:
        st.info("Choose at least one signal.")
        return
    for column, one in zip(st.columns(len(chosen)), chosen, strict=True):
        with column.container(border=True):
            change = last[one.name] - frame[one.name].iloc[-9]
            title = f"{one.name}, limit {one.limit:g} {one.unit}"
            st.metric(title, f"{last[one.name]:.2f} {one.unit}", f"{change:+.2f} in a second")
    figure = plotly.subplots.make_subplots(rows=len(chosen), shared_xaxes=True, vertical_spacing=0.06)
    for row, one in enumerate(chosen, 1):
        line = {"color": one.colour, "width": 2}
        curve = plotly.graph_objects.Scatter(x=frame["time"], y=frame[one.name], name=one.name, line=line)
        figure.add_trace(curve, row=row, col=1)
        figure.add_hline(y=one.limit, line={"color": "#ef4444", "width": 1, "dash": "dot"}, row=row, col=1)
        reach = one.swell * 2.6
        figure.update_yaxes(title=one.unit, range=[one.middle - reach, one.middle + reach], row=row, col=1)
    figure.update_layout(height=160 * len(chosen) + 40, margin={"l": 8, "r": 8, "t": 8, "b": 8}, showlegend=False)
    st.plotly_chart(figure, key="curves")
    count = len(st.session_state["journal"])
    st.caption(f"{count} alert{'s' if count != 1 else ''} in this visit's journal")


live()
