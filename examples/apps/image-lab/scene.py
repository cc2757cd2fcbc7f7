# SPDX-License-Identifier: Apache-2.0
"""The picture to begin with: a lighthouse at dusk, drawn by arithmetic, so that the app needs no file and no network."""

from __future__ import annotations

import numpy
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT, SCALE = 960, 600, 2
HORIZON = 0.62


def _blend(stops: list[tuple[float, tuple[int, int, int]]], size: int) -> numpy.ndarray:
    positions = [position for position, _ in stops]
    where = numpy.linspace(0, 1, size)
    channels = [numpy.interp(where, positions, [colour[i] for _, colour in stops]) for i in range(3)]
    return numpy.stack(channels, axis=1)


def _background() -> Image.Image:
    random = numpy.random.default_rng(4)
    width, height = WIDTH * SCALE, HEIGHT * SCALE
    sky_rows = int(height * HORIZON)
    sky = _blend([(0, (22, 28, 66)), (0.45, (96, 62, 118)), (0.75, (226, 112, 92)), (1, (252, 196, 124))], sky_rows)
    sea = _blend([(0, (214, 132, 106)), (0.25, (92, 78, 116)), (1, (16, 28, 58))], height - sky_rows)
    picture = numpy.repeat(numpy.concatenate([sky, sea])[:, None, :], width, axis=1)
    rows = numpy.arange(height - sky_rows)[:, None]
    columns = numpy.arange(width)[None, :]
    waves = numpy.sin(rows / (3 + rows * 0.02) + 2.2 * numpy.sin(columns / (60 + rows * 0.4)))
    glitter = numpy.exp(-(((columns - width * 0.3) / (90 + rows * 0.7)) ** 2))
    picture[sky_rows:] += (waves * (7 + 44 * glitter))[..., None] * numpy.array([1.0, 0.75, 0.55])
    ys, xs = random.integers(0, int(sky_rows * 0.5), 170), random.integers(0, width, 170)
    for y, x, light in zip(ys, xs, random.uniform(30, 130, 170), strict=True):
        picture[y : y + 2, x : x + 2] += light
    return Image.fromarray(picture.clip(0, 255).astype(numpy.uint8))


def _light(picture: Image.Image, lamp: tuple[float, float]) -> Image.Image:
    glow = Image.new("RGB", picture.size)
    draw = ImageDraw.Draw(glow)
    x, y = lamp
    reach = picture.width
    draw.polygon([(x, y - 6), (x, y + 6), (x - reach, y - 40), (x - reach, y - 250)], fill=(150, 128, 78))
    draw.polygon([(x, y - 4), (x, y + 4), (x + reach, y + 80), (x + reach, y - 40)], fill=(84, 70, 44))
    sun = (picture.width * 0.3, picture.height * HORIZON)
    draw.ellipse([sun[0] - 46, sun[1] - 62, sun[0] + 46, sun[1] + 30], fill=(255, 214, 150))
    glow.paste((0, 0, 0), (0, int(picture.height * HORIZON), picture.width, picture.height))
    draw.ellipse([x - 40, y - 40, x + 40, y + 40], fill=(255, 236, 180))
    soft = glow.filter(ImageFilter.GaussianBlur(16))
    total = numpy.asarray(picture, dtype=numpy.int16) + numpy.asarray(soft, dtype=numpy.int16)
    return Image.fromarray(total.clip(0, 255).astype(numpy.uint8))


def lighthouse() -> Image.Image:
    """The whole scene, drawn at twice its size and brought down, for clean edges."""
    picture = _background()
    width, height = picture.size
    x, top, foot = width * 0.72, height * 0.2, height * 0.72
    picture = _light(picture, (x, top))
    draw = ImageDraw.Draw(picture)
    shore = [
        (0.46, 1.0),
        (0.52, 0.78),
        (0.58, 0.73),
        (0.66, 0.705),
        (0.74, 0.7),
        (0.83, 0.72),
        (0.92, 0.76),
        (1.0, 0.77),
    ]
    draw.polygon([(width * a, height * b) for a, b in [*shore, (1.0, 1.0)]], fill=(24, 24, 40))
    half_top, half_foot, bands = 34.0, 62.0, 6
    for band in range(bands):
        a, b = band / bands, (band + 1) / bands
        upper, lower = half_top + (half_foot - half_top) * a, half_top + (half_foot - half_top) * b
        y0, y1 = top + 34 + (foot - top - 34) * a, top + 34 + (foot - top - 34) * b
        colour = (206, 66, 52) if band % 2 == 0 else (238, 228, 214)
        draw.polygon([(x - upper, y0), (x + upper, y0), (x + lower, y1), (x - lower, y1)], fill=colour)
        shade = tuple(int(part * 0.72) for part in colour)
        draw.polygon([(x + upper * 0.35, y0), (x + upper, y0), (x + lower, y1), (x + lower * 0.35, y1)], fill=shade)
    draw.rectangle([x - 48, top + 26, x + 48, top + 40], fill=(34, 32, 48))
    draw.rectangle([x - 24, top - 26, x + 24, top + 26], fill=(255, 240, 190))
    for bar in (-24, -8, 8, 24):
        draw.line([(x + bar, top - 26), (x + bar, top + 26)], fill=(60, 48, 48), width=3)
    draw.polygon([(x - 34, top - 26), (x + 34, top - 26), (x, top - 66)], fill=(150, 44, 40))
    draw.rectangle([x - 14, foot - 54, x + 14, foot], fill=(52, 38, 40))
    return picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
