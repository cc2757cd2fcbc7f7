# SPDX-License-Identifier: Apache-2.0
"""A page with a widget, to see that it answers after a reload of its own address."""

import streamlit as st

st.title("Tides")
hour = st.number_input("Hour", 0, 23, 6)
st.write(f"the tide at {hour} is {'high' if hour < 12 else 'low'}")
st.write(f"seen the first page {st.session_state.get('visits', 0)} times")
