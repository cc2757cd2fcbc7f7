# SPDX-License-Identifier: Apache-2.0
"""Fails in every session, half way."""

import streamlit as st

st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.button("Again")
st.write(f"so far so good, for run {st.session_state['runs']}")
raise ValueError("the chart is upside down")
