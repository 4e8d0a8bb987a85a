"""Other tools' result files in and out: PEFT, lm-eval, optimum-benchmark, CodeCarbon, tidy CSV."""
