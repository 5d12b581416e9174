"""The pure decisions of alerts: burn rates, states, silences, words. No query and no clock: `now` comes
in.
"""
