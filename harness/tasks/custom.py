from harness.types import Task


def load_custom(config: object) -> Task:
    raise NotImplementedError
