# SPDX-License-Identifier: Apache-2.0
import matplotlib.pyplot as plt

languages = ["Python", "JavaScript", "Rust", "Go", "Java"]
projects = [42, 35, 21, 17, 12]

fig, ax = plt.subplots(figsize=(7, 4))
bars = ax.barh(languages, projects, color="tab:blue")
ax.bar_label(bars, padding=3)
ax.invert_yaxis()
ax.set_xlabel("projects")
ax.set_title("Projects by language")
fig.tight_layout()
