# SPDX-License-Identifier: Apache-2.0
import pandas as pd

sales = pd.DataFrame({
    "region": ["north", "south", "north", "west", "south", "west", "north"],
    "product": ["tea", "tea", "coffee", "tea", "coffee", "coffee", "tea"],
    "amount": [120, 80, 200, 45, 150, 90, 60],
})

by_region = sales.groupby("region")["amount"].agg(["count", "sum", "mean"])
by_both = sales.pivot_table(index="region", columns="product", values="amount", aggfunc="sum", fill_value=0)
print(by_region)
