# SPDX-License-Identifier: Apache-2.0
import matplotlib.pyplot as plt
import numpy as np

rng = np.random.default_rng(3)
x = np.linspace(0, 10, 200)
fig, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")

axes[0, 0].plot(x, np.sqrt(x))
axes[0, 0].set_title("a line")
axes[0, 1].scatter(rng.normal(size=200), rng.normal(size=200), s=10, c=x, cmap="viridis")
axes[0, 1].set_title("a scatter")
axes[1, 0].bar(list("abcde"), rng.integers(1, 10, 5))
axes[1, 0].set_title("bars")
axes[1, 1].boxplot([rng.normal(mean, 1, 100) for mean in range(4)])
axes[1, 1].set_title("boxes")
fig.suptitle("Four views")
