# SPDX-License-Identifier: Apache-2.0
"""The first of three pages, found by Streamlit in `pages/`."""

import streamlit as st

st.set_page_config(page_title="Harbour")
st.session_state.setdefault("visits", 0)
st.session_state.visits += 1
st.title("Harbour")
st.write("this is the first page")
st.page_link("pages/1_Tides.py", label="To the tides")
