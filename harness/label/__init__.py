"""People as the yardstick: a blind sample of answers for them, and each measure held against it."""
