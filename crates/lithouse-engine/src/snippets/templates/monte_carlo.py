# SPDX-License-Identifier: Apache-2.0
import numpy as np

rng = np.random.default_rng()
count = 1_000_000
points = rng.random((count, 2))
inside = (points**2).sum(axis=1) <= 1

estimate = 4 * inside.mean()
error = 4 * inside.std() / np.sqrt(count)
print(f"pi is about {estimate:.4f}, give or take {2 * error:.4f}")
