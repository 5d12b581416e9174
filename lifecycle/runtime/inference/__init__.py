"""The inference server: reads a signed routes document, answers the Open Inference Protocol, writes a
prediction spool. No Django.
"""
