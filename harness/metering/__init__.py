"""What each phase costs: time, tokens, memory, energy, emissions; imports nothing heavy."""
