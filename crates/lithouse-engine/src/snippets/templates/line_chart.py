# SPDX-License-Identifier: Apache-2.0
import matplotlib.pyplot as plt
import numpy as np

x = np.linspace(0, 4 * np.pi, 400)

plt.plot(x, np.sin(x), label="sin x")
plt.plot(x, np.exp(-x / 5) * np.cos(3 * x), label="damped cos 3x")
plt.xlabel("x")
plt.legend()
plt.title("Two waves")
plt.show()
