"""Fine-tuning: training examples, adapters of several kinds, attaching them to a model."""

import warnings

# PEFT asks transformers by a name that has gone out of use; a user can do nothing about it.
warnings.filterwarnings(
    "ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning
)
