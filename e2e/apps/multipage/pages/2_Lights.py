# SPDX-License-Identifier: Apache-2.0
"""A page that reads its query parameters."""

import streamlit as st

st.title("Lights")
st.write(f"the colour is {st.query_params.get('colour', 'white')}")
