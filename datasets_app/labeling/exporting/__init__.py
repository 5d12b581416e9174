"""Writing what was said of items as other labeling tools write it, one module for each tool. Pure.

An item that came from the same tool goes out as it came, with what was said here besides; every other item is written anew.
"""
