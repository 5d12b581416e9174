"""Labels corrected in an exported file: checked on upload, then written as decisions that supersede the old
ones.
"""
