# SPDX-License-Identifier: Apache-2.0
import statistics

durations = [12.1, 11.8, 13.4, 12.0, 12.6, 19.9, 12.3]

mean = statistics.mean(durations)
median = statistics.median(durations)
spread = statistics.stdev(durations)
print(f"mean {mean:.2f}, median {median:.2f}, standard deviation {spread:.2f}")

unusual = [value for value in durations if abs(value - median) > 2 * spread]
print("more than two deviations from the median:", unusual)
