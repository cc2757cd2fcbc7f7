# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pandas as pd
import plotly.express as px

rng = np.random.default_rng(13)
days = pd.date_range("2026-01-01", periods=180)
steps = rng.normal(0.0005, 0.01, (180, 3))
prices = pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), index=days, columns=["red", "green", "blue"])

fig = px.line(prices, title="Three random walks", labels={"index": "day", "value": "price", "variable": "share"})
fig.show()
