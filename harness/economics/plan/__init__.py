"""What a model needs, from its config alone: memory, FLOP, devices, time, energy and money."""
