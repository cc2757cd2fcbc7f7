# SPDX-License-Identifier: Apache-2.0
"""A small dark room: choose a picture, turn the knobs, compare, take the result away."""

from __future__ import annotations

import io
from dataclasses import asdict

import numpy
import plotly.graph_objects
import streamlit as st
from filters import EFFECTS, PRESETS, Settings, develop
from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError
from scene import lighthouse

LARGEST = 1400


@st.cache_data(show_spinner=False)
def sample() -> Image.Image:
    """The scene to begin with, drawn once for all visitors."""
    return lighthouse()


@st.cache_data(show_spinner=False, max_entries=16)
def opened(content: bytes) -> Image.Image:
    """The visitor's picture the right way up, brought down to a size that filters handle at once."""
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return picture


def choose_picture() -> Image.Image:
    """The uploaded picture, or the sample."""
    uploaded = st.sidebar.file_uploader("Your picture", type=["png", "jpg", "jpeg", "webp", "bmp"])
    if uploaded is None:
        return sample()
    try:
        return opened(uploaded.getvalue())
    except (UnidentifiedImageError, OSError, ValueError) as error:
        st.error(f"This file could not be read as a picture: {error}")
        st.stop()


def apply_preset() -> None:
    """Moves the knobs to where the preset has them."""
    st.session_state.update(asdict(PRESETS[st.session_state["preset"]]))


def choose_settings() -> Settings:
    """The knobs at the side."""
    for name, value in asdict(Settings()).items():
        st.session_state.setdefault(name, value)
    with st.sidebar:
        st.selectbox("Preset", list(PRESETS), key="preset", on_change=apply_preset)
        st.selectbox("Effect", EFFECTS, key="effect")
        st.slider("Light", 0.4, 1.6, step=0.02, key="light")
        st.slider("Contrast", 0.4, 1.8, step=0.02, key="contrast")
        st.slider("Colour", 0.0, 2.0, step=0.05, key="colour")
        st.slider("Warmth", -1.0, 1.0, step=0.05, key="warmth")
        st.slider("Sharpness", 0.0, 3.0, step=0.1, key="sharpness")
        st.slider("Blur", 0.0, 12.0, step=0.5, key="blur")
        st.slider("Dark corners", 0.0, 1.0, step=0.05, key="vignette")
    return Settings(**{name: st.session_state[name] for name in asdict(Settings())})


def divided(before: Image.Image, after: Image.Image, share: int) -> Image.Image:
    """One picture: left as it was, right as it is now."""
    result = after.copy()
    edge = before.width * share // 100
    result.paste(before.crop((0, 0, edge, before.height)), (0, 0))
    ImageDraw.Draw(result).line([(edge, 0), (edge, before.height)], fill="white", width=3)
    return result


def histogram(before: Image.Image, after: Image.Image) -> plotly.graph_objects.Figure:
    """How bright the picture is, before and after, and the three colours after."""
    figure = plotly.graph_objects.Figure()
    grey = numpy.asarray(ImageOps.grayscale(before)).ravel()
    levels = numpy.bincount(grey, minlength=256)
    look = {"mode": "lines", "line": {"width": 1, "color": "#94a3b8"}, "fill": "tozeroy"}
    figure.add_trace(plotly.graph_objects.Scatter(y=levels, name="light, before", **look))
    for channel, (name, colour) in enumerate([("red", "#dc2626"), ("green", "#16a34a"), ("blue", "#2563eb")]):
        levels = numpy.bincount(numpy.asarray(after)[..., channel].ravel(), minlength=256)
        figure.add_trace(plotly.graph_objects.Scatter(y=levels, name=f"{name}, after", mode="lines", line={"color": colour}))
    figure.update_layout(height=420, margin={"l": 8, "r": 8, "t": 8, "b": 8}, legend={"orientation": "h"})
    figure.update_yaxes(title=None, showticklabels=False, range=[0, float(numpy.percentile(levels, 99)) * 2 or 1])
    figure.update_xaxes(title="from dark to bright")
    return figure


st.set_page_config(page_title="Image lab", layout="wide")
st.title("Image lab")
original = choose_picture()
settings = choose_settings()
developed = develop(original, settings)
divide, beside, numbers = st.tabs(["Before | after", "Side by side", "Histogram"])
with divide:
    share = st.slider("Divide at", 0, 100, 50, format="%d %%")
    st.image(divided(original, developed, share))
with beside:
    left, right = st.columns(2)
    left.image(original, caption="Before")
    right.image(developed, caption="After")
with numbers:
    st.plotly_chart(histogram(original, developed))
encoded = io.BytesIO()
developed.save(encoded, format="PNG", compress_level=1)
facts, download = st.columns([3, 1])
facts.caption(f"{developed.width} by {developed.height} pixels, {len(encoded.getvalue()) / 1e6:.1f} MB as PNG")
download.download_button("Download the result", encoded.getvalue(), file_name="image-lab.png", mime="image/png")
