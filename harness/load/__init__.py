"""Load on an arm: open-loop requests at several rates, what users see of them, and the knee."""
