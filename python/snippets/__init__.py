# SPDX-License-Identifier: Apache-2.0
"""What runs Python snippets: a warm parent that forks one confined child for every run.

`zygote.py` is the program. It loads this folder as the package `lithouse_snippets` without putting it on `sys.path`, so
that no file here can be imported by accident under a short name. Standard library only; numpy, pandas, matplotlib and
plotly are used where they are installed, and none is needed.
"""
