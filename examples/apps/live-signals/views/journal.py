# SPDX-License-Identifier: Apache-2.0
"""The alerts of this visit, with room for a note to each."""

from __future__ import annotations

import pandas
import streamlit as st

st.title("Journal")
entries = st.session_state.get("journal", [])
if not entries:
    st.info("No signal has passed its limit yet. Leave the live view open for a while: the wind picks up every minute.")
    st.stop()
locked = ["time", "signal", "value", "limit"]
edited = st.data_editor(pandas.DataFrame(entries), disabled=locked, hide_index=True, key="journal_editor")
left, right = st.columns([1, 5])
left.download_button("Download as CSV", edited.to_csv(index=False).encode(), file_name="journal.csv", mime="text/csv")
if right.button("Empty the journal"):
    st.session_state["journal"] = []
    st.rerun()
