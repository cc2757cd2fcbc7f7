# SPDX-License-Identifier: Apache-2.0
"""Ends its own process in the middle of a run when asked to, as a crash in native code would."""

import os
import time

import streamlit as st

st.title("Fragile")
st.write(f"process {os.getpid()} serves this page")
if st.button("Crash"):
    st.write("working")
    # Long enough for the page to know of the run, so that it asks for it again when it has an app once more.
    time.sleep(0.5)
    os._exit(3)
