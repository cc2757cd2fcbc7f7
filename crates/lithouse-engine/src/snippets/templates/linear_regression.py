# SPDX-License-Identifier: Apache-2.0
import matplotlib.pyplot as plt
import numpy as np

rng = np.random.default_rng(17)
x = rng.uniform(0, 10, 80)
y = 3.0 * x + 5.0 + rng.normal(0, 3, 80)

design = np.column_stack([x, np.ones_like(x)])
(slope, intercept), residuals, *_ = np.linalg.lstsq(design, y, rcond=None)
determination = 1 - residuals[0] / ((y - y.mean()) ** 2).sum()
print(f"y = {slope:.2f} x + {intercept:.2f}, R² = {determination:.3f}")

plt.scatter(x, y, s=15)
ends = np.array([0, 10])
plt.plot(ends, slope * ends + intercept, color="tab:red")
plt.show()
