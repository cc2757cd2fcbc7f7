# SPDX-License-Identifier: Apache-2.0
"""Two years of a small trading company: figures, charts and a table, all answering to the filters at the side."""

from __future__ import annotations

import datetime

import numpy
import pandas
import plotly.express
import plotly.graph_objects
import streamlit as st

COLOURS = {"Coffee": "#7c2d12", "Tea": "#ca8a04", "Chocolate": "#c2410c", "Spices": "#4d7c0f"}
PRODUCTS = {
    "Coffee": ["Harbour roast", "Night watch", "Island blend"],
    "Tea": ["Fog green", "Captain's black", "Mint cove"],
    "Chocolate": ["Dark 85", "Sea salt", "Hazelnut"],
    "Spices": ["Smoked paprika", "Wild cumin", "Pepper trio"],
}
PRICES = {"Coffee": 14.5, "Tea": 9.8, "Chocolate": 6.2, "Spices": 5.4}
MARGINS = {"Coffee": 0.38, "Tea": 0.46, "Chocolate": 0.33, "Spices": 0.51}
REGIONS = {"North": 1.0, "East": 0.72, "South": 1.24, "West": 0.88}
LAST_DAY = datetime.date(2025, 12, 31)
DAYS = 731


@st.cache_data(show_spinner=False)
def sales() -> pandas.DataFrame:
    """One row for each day, region and product: the same on every machine, as the seed is fixed."""
    random = numpy.random.default_rng(11)
    days = pandas.date_range(end=LAST_DAY, periods=DAYS)
    season = 1 + 0.28 * numpy.sin((days.day_of_year.to_numpy() - 240) / 365 * 2 * numpy.pi)
    weekday = numpy.array([0.92, 0.9, 0.95, 1.02, 1.18, 1.31, 0.72])[days.day_of_week.to_numpy()]
    growth = numpy.linspace(0.8, 1.25, DAYS)
    parts = []
    for region, weight in REGIONS.items():
        for category, products in PRODUCTS.items():
            for rank, product in enumerate(products):
                expected = 11 * weight * growth * season * weekday / (1 + 0.45 * rank)
                orders = random.poisson(expected)
                price = PRICES[category] * (1 + 0.12 * rank)
                revenue = orders * price * random.normal(1, 0.06, DAYS).clip(0.7, 1.3)
                columns = {"day": days, "region": region, "category": category, "product": product, "orders": orders}
                parts.append(pandas.DataFrame({**columns, "revenue": revenue, "profit": revenue * MARGINS[category]}))
    return pandas.concat(parts, ignore_index=True)


def choose(frame: pandas.DataFrame) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """The rows that the visitor asked for, and those of as many days before."""
    with st.sidebar:
        st.header("Filters")
        first = frame["day"].min().date()
        spans = {"Last 30 days": 30, "Last 90 days": 90, "Last 12 months": 365}
        span = st.selectbox("Period", [*spans, "Own dates"], index=1)
        if span == "Own dates":
            default = (LAST_DAY - datetime.timedelta(days=59), LAST_DAY)
            picked = st.date_input("From and to", default, min_value=first, max_value=LAST_DAY)
            begin, end = picked if isinstance(picked, tuple) and len(picked) == 2 else default
        else:
            begin, end = LAST_DAY - datetime.timedelta(days=spans[span] - 1), LAST_DAY
        regions = st.multiselect("Regions", list(REGIONS), list(REGIONS))
        categories = st.multiselect("Categories", list(PRODUCTS), list(PRODUCTS))
        st.caption("The figures are made up, and the same on every visit.")
    rows = frame[frame["region"].isin(regions) & frame["category"].isin(categories)]
    length = pandas.Timedelta(end - begin) + pandas.Timedelta(days=1)
    start = pandas.Timestamp(begin)
    now = rows[(rows["day"] >= start) & (rows["day"] < start + length)]
    before = rows[(rows["day"] >= start - length) & (rows["day"] < start)]
    return now, before


def figures(now: pandas.DataFrame, before: pandas.DataFrame) -> None:
    """Four numbers with their change against the period before."""

    def total(rows: pandas.DataFrame) -> dict[str, float]:
        revenue, orders, profit = (float(rows[name].sum()) for name in ("revenue", "orders", "profit"))
        return {"Revenue": revenue, "Orders": orders, "Average order": revenue / (orders or 1), "Margin": profit / (revenue or 1)}

    formats = {"Revenue": "€ {:,.0f}", "Orders": "{:,.0f}", "Average order": "€ {:.2f}", "Margin": "{:.1%}"}
    new, old = total(now), total(before)
    for column, name in zip(st.columns(4), formats, strict=True):
        change = f"{new[name] / old[name] - 1:+.1%}" if old[name] else None
        with column.container(border=True):
            st.metric(name, formats[name].format(new[name]), change)


def plain(figure: plotly.graph_objects.Figure, height: int) -> plotly.graph_objects.Figure:
    """The look that all charts share."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        legend={"orientation": "h", "y": -0.18, "title": None},
        hovermode="x unified",
    )
    figure.update_xaxes(title=None)
    figure.update_yaxes(title=None)
    return figure


def revenue_over_time(now: pandas.DataFrame) -> plotly.graph_objects.Figure:
    """Revenue by category, in days or weeks as the period is short or long."""
    step, title = ("D", "Revenue by day") if now["day"].nunique() <= 62 else ("W", "Revenue by week")
    grouped = now.groupby([pandas.Grouper(key="day", freq=step), "category"], as_index=False)["revenue"].sum()
    if step == "W":
        # A week that the period cuts through would look like a fall in sales.
        whole = now.groupby(pandas.Grouper(key="day", freq=step))["day"].nunique()
        grouped = grouped[grouped["day"].isin(whole[whole == 7].index)]
    figure = plotly.express.area(grouped, x="day", y="revenue", color="category", title=title, color_discrete_map=COLOURS)
    figure.update_traces(line={"width": 1})
    return plain(figure, 360)


def revenue_by_region(now: pandas.DataFrame) -> plotly.graph_objects.Figure:
    """Regions by category, the strongest on top."""
    grouped = now.groupby(["region", "category"], as_index=False)["revenue"].sum()
    options = {"orientation": "h", "title": "Where it was sold", "color_discrete_map": COLOURS}
    figure = plotly.express.bar(grouped, x="revenue", y="region", color="category", **options)
    figure.update_yaxes(categoryorder="total ascending")
    return plain(figure, 360).update_layout(showlegend=False, hovermode="closest")


def rhythm(now: pandas.DataFrame) -> plotly.graph_objects.Figure:
    """The weekly rhythm: orders by weekday and category."""
    names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    table = now.pivot_table(index="category", columns=now["day"].dt.day_of_week, values="orders", aggfunc="sum").fillna(0)
    labels = [names[day] for day in table.columns]
    scale = ["#fff7ed", "#fdba74", "#c2410c", "#7c2d12"]
    heat = plotly.graph_objects.Heatmap(z=table.to_numpy(), x=labels, y=list(table.index), colorscale=scale, showscale=False)
    figure = plotly.graph_objects.Figure(heat).update_layout(title="Orders by weekday")
    return plain(figure, 300).update_layout(hovermode="closest")


def table(now: pandas.DataFrame) -> None:
    """Every product with its trend, and the rows behind it to take away."""
    weekly = now.groupby(["product", pandas.Grouper(key="day", freq="W")])["revenue"].sum().round()
    summary = now.groupby(["category", "product"], as_index=False)[["orders", "revenue", "profit"]].sum()
    summary["margin"] = summary["profit"] / summary["revenue"] * 100
    summary["trend"] = [weekly[product].tolist() for product in summary["product"]]
    summary = summary.sort_values("revenue", ascending=False).drop(columns=["category", "profit"])
    st.dataframe(
        summary,
        hide_index=True,
        column_config={
            "product": "Product",
            "orders": st.column_config.NumberColumn("Orders", format="%d"),
            "revenue": st.column_config.ProgressColumn(
                "Revenue", format="€ %.0f", min_value=0, max_value=float(summary["revenue"].max())
            ),
            "margin": st.column_config.NumberColumn("Margin", format="%.1f %%"),
            "trend": st.column_config.LineChartColumn("Trend by week"),
        },
    )
    content = now.round({"revenue": 2, "profit": 2}).to_csv(index=False).encode()
    st.download_button("Download these rows as CSV", content, file_name="sales.csv", mime="text/csv")


st.set_page_config(page_title="Sales dashboard", layout="wide")
st.title("Sales dashboard")
st.caption("Coffee, tea, chocolate and spices, sold in four regions")
chosen, earlier = choose(sales())
if chosen.empty:
    st.info("Nothing was sold there and then: widen the filters at the side.")
    st.stop()
figures(chosen, earlier)
wide, narrow = st.columns([3, 2])
wide.plotly_chart(revenue_over_time(chosen), key="time")
narrow.plotly_chart(revenue_by_region(chosen), key="region")
left, right = st.columns([2, 3])
left.plotly_chart(rhythm(chosen), key="rhythm")
with right:
    st.markdown("**Products**")
    table(chosen)
