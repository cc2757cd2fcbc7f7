# SPDX-License-Identifier: Apache-2.0
"""The app that is measured: a chart and a table, as small as an app with pandas gets."""

import numpy
import pandas
import streamlit as st

steps = numpy.random.default_rng(11).normal(size=(200, 3))
frame = pandas.DataFrame(steps.cumsum(axis=0), columns=["tide", "wind", "light"])
st.title("Harbour")
st.line_chart(frame)
st.dataframe(frame)
