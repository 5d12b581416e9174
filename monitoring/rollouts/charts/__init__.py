"""The charts of a rollout. Pure: looks and points in, figures out; colours are tokens. Canary blue, stable
graphite, shadow rust.
"""
