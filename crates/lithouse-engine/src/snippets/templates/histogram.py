# SPDX-License-Identifier: Apache-2.0
import matplotlib.pyplot as plt
import numpy as np

rng = np.random.default_rng(7)
heights = np.concatenate([rng.normal(166, 7, 5000), rng.normal(179, 7, 5000)])

plt.hist(heights, bins=60, density=True, alpha=0.7)
plt.axvline(heights.mean(), color="black", linestyle="--", label=f"mean {heights.mean():.1f} cm")
plt.xlabel("height in cm")
plt.legend()
plt.show()
