# SPDX-License-Identifier: Apache-2.0
import re
from collections import Counter

import pandas as pd

text = """
A lighthouse does not go out to look for ships. It stands where it stands, and it shines. Ships that see the light
know where they are, and ships that know where they are come home.
"""

words = re.findall(r"[a-z']+", text.lower())
counts = Counter(words)
print(f"{len(words)} words, {len(counts)} different ones, {sum(map(len, words)) / len(words):.1f} letters on average")

frequent = pd.DataFrame(counts.most_common(8), columns=["word", "count"])
