# SPDX-License-Identifier: Apache-2.0
"""Counts in its session, and tells a numbered line all the time, whether somebody visits or not."""

import itertools
import threading
import time
import uuid

import streamlit as st


@st.cache_resource
def tell() -> None:
    """Starts the one thread of this process that tells lines."""

    def lines() -> None:
        for number in itertools.count(1):
            print(f"line {number}", flush=True)
            time.sleep(0.01)  # a pace, which is what the app is for

    threading.Thread(target=lines, daemon=True).start()


tell()
st.session_state.setdefault("name", uuid.uuid4().hex)
st.session_state.setdefault("count", 0)
if st.button("Count up"):
    st.session_state.count += 1
st.write(f"session {st.session_state.name}")
st.write(f"count is {st.session_state.count}")
