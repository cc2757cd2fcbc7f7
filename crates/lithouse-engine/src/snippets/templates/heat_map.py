# SPDX-License-Identifier: Apache-2.0
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

rng = np.random.default_rng(5)
base = rng.normal(size=(300, 1))
data = pd.DataFrame(base * [1, 0.8, -0.6, 0, 0] + rng.normal(size=(300, 5)), columns=["price", "area", "age", "floor", "noise"])
correlation = data.corr().round(2)

fig, ax = plt.subplots(figsize=(6, 5))
image = ax.imshow(correlation, cmap="RdBu_r", vmin=-1, vmax=1)
ax.set_xticks(range(5), correlation.columns, rotation=45)
ax.set_yticks(range(5), correlation.columns)
for row in range(5):
    for column in range(5):
        ax.text(column, row, f"{correlation.iloc[row, column]:.2f}", ha="center", va="center")
fig.colorbar(image, label="correlation")
fig.tight_layout()
