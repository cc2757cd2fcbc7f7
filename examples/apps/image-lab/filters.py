# SPDX-License-Identifier: Apache-2.0
"""The filters: plain functions from picture to picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy
from PIL import Image, ImageEnhance, ImageFilter, ImageOps


@dataclass(frozen=True)
class Settings:
    """What the sliders say; the defaults change nothing."""

    light: float = 1.0
    contrast: float = 1.0
    colour: float = 1.0
    warmth: float = 0.0
    sharpness: float = 1.0
    blur: float = 0.0
    vignette: float = 0.0
    effect: str = "None"


PRESETS = {
    "As it is": Settings(),
    "Golden hour": Settings(light=1.06, contrast=1.08, colour=1.25, warmth=0.45, vignette=0.25),
    "Old postcard": Settings(contrast=0.86, colour=0.55, warmth=0.6, vignette=0.5),
    "North light": Settings(contrast=1.1, colour=0.85, warmth=-0.5, sharpness=1.6),
    "Ink": Settings(contrast=1.25, effect="Pencil"),
    "Print": Settings(contrast=1.15, colour=1.3, effect="Poster"),
    "Two inks": Settings(contrast=1.2, effect="Duotone"),
}
EFFECTS = ["None", "Pencil", "Poster", "Duotone", "Edges", "Mosaic"]


def _pencil(picture: Image.Image) -> Image.Image:
    grey = numpy.asarray(ImageOps.grayscale(picture), dtype=numpy.float32)
    soft = Image.fromarray((255 - grey).astype(numpy.uint8)).filter(ImageFilter.GaussianBlur(9))
    drawn = grey * 255 / (256 - numpy.asarray(soft, dtype=numpy.float32))
    return Image.fromarray(drawn.clip(0, 255).astype(numpy.uint8)).convert("RGB")


def _duotone(picture: Image.Image) -> Image.Image:
    return ImageOps.colorize(ImageOps.autocontrast(ImageOps.grayscale(picture)), "#12355b", "#ffe8c2", mid="#d1495b")


def _edges(picture: Image.Image) -> Image.Image:
    grey = numpy.asarray(ImageOps.grayscale(picture).filter(ImageFilter.GaussianBlur(1)), dtype=numpy.float32)
    down, across = numpy.gradient(grey)
    strength = numpy.hypot(down, across)
    return Image.fromarray((strength / (strength.max() or 1) * 510).clip(0, 255).astype(numpy.uint8)).convert("RGB")


def _mosaic(picture: Image.Image) -> Image.Image:
    small = picture.resize((max(1, picture.width // 14), max(1, picture.height // 14)), Image.Resampling.BOX)
    return small.resize(picture.size, Image.Resampling.NEAREST)


def _tint(picture: Image.Image, warmth: float) -> Image.Image:
    factors = numpy.array([1 + 0.22 * warmth, 1 + 0.03 * warmth, 1 - 0.25 * warmth], dtype=numpy.float32)
    return Image.fromarray((numpy.asarray(picture) * factors).clip(0, 255).astype(numpy.uint8))


def _darken_corners(picture: Image.Image, strength: float) -> Image.Image:
    down = numpy.linspace(-1, 1, picture.height, dtype=numpy.float32)[:, None]
    across = numpy.linspace(-1, 1, picture.width, dtype=numpy.float32)[None, :]
    shade = 1 - strength * (down**2 + across**2).clip(0, 2) / 2 * 1.3
    return Image.fromarray((numpy.asarray(picture) * shade.clip(0, 1)[..., None]).astype(numpy.uint8))


def develop(picture: Image.Image, settings: Settings) -> Image.Image:
    """The picture after all filters, in the order of a dark room: light, colour, form, effect, frame."""
    result = ImageEnhance.Brightness(picture).enhance(settings.light)
    result = ImageEnhance.Contrast(result).enhance(settings.contrast)
    result = ImageEnhance.Color(result).enhance(settings.colour)
    if settings.warmth:
        result = _tint(result, settings.warmth)
    result = ImageEnhance.Sharpness(result).enhance(settings.sharpness)
    if settings.blur:
        result = result.filter(ImageFilter.GaussianBlur(settings.blur))
    effects = {"Pencil": _pencil, "Duotone": _duotone, "Edges": _edges, "Mosaic": _mosaic}
    if settings.effect == "Poster":
        result = ImageOps.posterize(result, 3)
    elif settings.effect in effects:
        result = effects[settings.effect](result)
    return _darken_corners(result, settings.vignette) if settings.vignette else result
