# SPDX-License-Identifier: Apache-2.0
import io

import pandas as pd

text = """city,country,population
Tokyo,JP,37.4
Delhi,IN,29.4
Shanghai,CN,26.3
Osaka,JP,19.3
Mumbai,IN,20.0
"""

# A file sent along is read in the same way: pd.read_csv("cities.csv")
cities = pd.read_csv(io.StringIO(text))
print(cities.dtypes)

largest = cities.sort_values("population", ascending=False).reset_index(drop=True)
