# SPDX-License-Identifier: Apache-2.0
"""What a signal is made of: its strength at every frequency."""

from __future__ import annotations

import numpy
import plotly.graph_objects
import streamlit as st
from signals import INSTRUMENTS, KEPT_SECONDS, RATE, measure, now

st.title("Spectrum")
names = [one.name for one in INSTRUMENTS]
choice, minutes = st.columns(2)
instrument = INSTRUMENTS[names.index(choice.selectbox("Signal", names))]
length = minutes.slider("Minutes looked at", 2, 20, 8) * 60
end = now()
moments = numpy.arange(end - length, end, 1 / RATE)
values = measure(instrument, moments) - instrument.middle
strength = numpy.abs(numpy.fft.rfft(values * numpy.hanning(len(values)))) / len(values) * 4
frequency = numpy.fft.rfftfreq(len(values), 1 / RATE)
seen = (frequency > 1 / KEPT_SECONDS) & (frequency < 1)
line = {"color": instrument.colour, "width": 2}
figure = plotly.graph_objects.Figure(
    plotly.graph_objects.Scatter(x=1 / frequency[seen], y=strength[seen], line=line, fill="tozeroy")
)
figure.update_layout(height=440, margin={"l": 8, "r": 8, "t": 8, "b": 8})
figure.update_xaxes(title="period in seconds", type="log")
figure.update_yaxes(title=f"strength in {instrument.unit}")
st.plotly_chart(figure)
strongest = 1 / frequency[seen][numpy.argmax(strength[seen])]
st.write(f"The strongest swell of **{instrument.name.lower()}** comes every **{strongest:.0f} seconds**.")
