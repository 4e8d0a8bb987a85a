"""Papers run again at a size that this machine can do, and verdicts on what they claim."""
