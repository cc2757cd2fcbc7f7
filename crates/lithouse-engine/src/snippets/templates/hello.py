# SPDX-License-Identifier: Apache-2.0
name = "world"
print(f"Hello, {name}!")

# The value of a last line is shown, as in a notebook; variables come back with their types.
sum(range(101))
