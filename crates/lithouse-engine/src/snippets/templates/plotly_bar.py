# SPDX-License-Identifier: Apache-2.0
import plotly.graph_objects as go

quarters = ["Q1", "Q2", "Q3", "Q4"]
fig = go.Figure()
fig.add_bar(name="2025", x=quarters, y=[20, 24, 19, 30])
fig.add_bar(name="2026", x=quarters, y=[25, 26, 28, 35])
fig.update_layout(barmode="group", title="Turnover by quarter", yaxis_title="million", width=700, height=400)
fig.show()
