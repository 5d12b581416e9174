"""What drift_alarms is measured beside, for an environment of its own."""
