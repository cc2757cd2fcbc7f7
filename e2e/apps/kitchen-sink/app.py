# SPDX-License-Identifier: Apache-2.0
"""One of everything that a browser has to carry: what the tests look for is said in plain text."""

import hashlib
import io

import numpy
import pandas
import plotly.graph_objects
import streamlit as st
from PIL import Image

st.set_page_config(page_title="Kitchen sink", layout="wide")
st.title("Kitchen sink")
st.write(f"streamlit {st.__version__}")

level = st.slider("Level", 0, 100, 10)
st.write(f"level is {level}")

st.session_state.setdefault("count", 0)
if st.button("Count up"):
    st.session_state.count += 1
st.write(f"count is {st.session_state.count}")

uploaded = st.file_uploader("Any file")
if uploaded is not None:
    content = uploaded.getvalue()
    st.write(f"received {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")

payload = bytes(range(256)) * 4096
st.download_button("Take the bytes", payload, file_name="bytes.bin", mime="application/octet-stream")

frame = pandas.DataFrame({"city": ["Porto", "Turku", "Gdynia"], "ships": [12, 7, 23]})
st.dataframe(frame)

picture = io.BytesIO()
Image.fromarray(numpy.full((90, 160, 3), (240, 138, 60), dtype=numpy.uint8)).save(picture, format="PNG")
st.image(picture.getvalue(), caption="an orange field")

figure = plotly.graph_objects.Figure(plotly.graph_objects.Bar(x=list(frame["city"]), y=list(frame["ships"])))
figure.update_layout(title="Ships by city", height=300)
st.plotly_chart(figure)


@st.fragment(run_every=0.5)
def clock() -> None:
    """Ticks by itself, without a rerun of the page."""
    st.session_state["ticks"] = st.session_state.get("ticks", 0) + 1
    st.write(f"tick {st.session_state['ticks']}")


clock()
st.write("the end of the page")
