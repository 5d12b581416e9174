"""Write annotations in the formats of other labeling tools, one module per tool. Pure.

An item imported from the same tool is exported unchanged with annotations added; every other item is written
from scratch.
"""
