"""The servers that ours is measured beside, each as its own documentation writes it, for an environment of
its own.
"""
