"""What an arm costs: break-even, prices, tokens, streaming, carbon, memory; no heavy import."""
