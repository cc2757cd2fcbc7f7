# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pandas as pd

# Visits in each hour of six weeks, with a rhythm of days and weeks.
hours = pd.date_range("2026-01-05", periods=24 * 42, freq="h", name="hour")
rng = np.random.default_rng(1)
rhythm = 100 + 60 * np.sin((hours.hour - 9) / 24 * 2 * np.pi) - 30 * (hours.day_of_week >= 5)
visits = pd.Series(rng.poisson(rhythm), index=hours, name="visits")

daily = visits.resample("D").sum().to_frame()
daily["week's mean"] = daily["visits"].rolling(7, center=True).mean().round(1)
weekdays = daily.groupby(daily.index.day_name())["visits"].mean().sort_values(ascending=False).round(1)
print(weekdays)
