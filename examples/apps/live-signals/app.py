# SPDX-License-Identifier: Apache-2.0
"""Three views of the same pretended instruments, in one session."""

from __future__ import annotations

import streamlit as st

st.set_page_config(page_title="Live signals", layout="wide")
views = [
    st.Page("views/live.py", title="Live", default=True),
    st.Page("views/spectrum.py", title="Spectrum"),
    st.Page("views/journal.py", title="Journal"),
]
st.navigation(views).run()
