"""Training pairs made from a corpus: generators, what is kept of what they write, and a report."""
