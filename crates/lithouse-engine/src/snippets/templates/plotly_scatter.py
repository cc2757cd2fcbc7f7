# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pandas as pd
import plotly.express as px

rng = np.random.default_rng(11)
flats = pd.DataFrame({"area": rng.uniform(30, 120, 150).round(), "district": rng.choice(["centre", "harbour", "hills"], 150)})
level = flats["district"].map({"centre": 22, "harbour": 17, "hills": 13})
flats["rent"] = (flats["area"] * level * rng.normal(1, 0.1, 150)).round()

fig = px.scatter(flats, x="area", y="rent", color="district", title="Rents by area")
fig.show()
