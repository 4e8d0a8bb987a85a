"""Which arm is set against which."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.arms import Arm
from harness.errors import ConfigError, suggestion

MOST_FOR_ALL_PAIRS = 5
"""With more arms the pairs outgrow a page, and adjusting over them hides every difference."""

Pairs = list[tuple[Arm, Arm]]


def restricted(arms: Sequence[Arm], names: Sequence[str], baseline: str | None) -> list[Arm]:
    """The arms that ``names`` name, by label or by arm, and the baseline; all without names.

    Raises:
        ConfigError: a name that no arm has.
    """
    if not names:
        return list(arms)
    wanted = [arm.label for name in names for arm in named(arms, name, "--arms")]
    if baseline is not None:
        wanted += [arm.label for arm in named(arms, baseline, "--baseline")]
    return [arm for arm in arms if arm.label in wanted]


def named(arms: Sequence[Arm], name: str, flag: str) -> list[Arm]:
    """The arms with this label, else those with this bare name.

    Raises:
        ConfigError: there is none.
    """
    found = [arm for arm in arms if arm.label == name]
    found = found or [arm for arm in arms if arm.summary.arm == name]
    if not found:
        labels = [arm.label for arm in arms]
        raise ConfigError(
            f"{flag}: no arm '{name}'{suggestion(name, labels)}; it is one of: {', '.join(labels)}"
        )
    return found


def choose(
    arms: Sequence[Arm], baseline: str | None, gated: bool = False
) -> tuple[Pairs, list[str]]:
    """(baseline, arm) of each contrast, and what was not chosen.

    With a baseline, every other arm against it. Else, where later tables repeat the first one's
    arms, each against its namesake: experiments are lined up; under a gate so are those that have
    a namesake, if only some do. Else all pairs of a few arms, the one with fewer
    slots filled as baseline; of many, each against the one with none filled; within each task.

    Raises:
        ConfigError: no arm has the baseline's name, or none of its runs finished.
    """
    finished = [arm for arm in arms if arm.runs]
    if baseline is not None:
        chosen = [arm for arm in named(arms, baseline, "--baseline") if arm.runs]
        if not chosen:
            raise ConfigError(f"--baseline: no run of '{baseline}' finished: name another arm")
        return _against(chosen, finished), []
    if len(finished) < 2:
        return [], ["fewer than two arms with finished runs: nothing to compare"]
    lined_up = _lined_up(finished)
    used = {arm.label for both in lined_up for arm in both}
    first = finished[0].source
    if lined_up and (gated or all(a.label in used or a.source == first for a in finished)):
        return lined_up, _without_namesake(finished, lined_up)
    tasks: dict[str, list[Arm]] = {}
    for arm in sorted(finished, key=_slots):
        tasks.setdefault(arm.summary.task, []).append(arm)
    pairs, told = [], []
    for task, group in tasks.items():
        if len(group) <= MOST_FOR_ALL_PAIRS:
            pairs += [(one, other) for i, one in enumerate(group) for other in group[i + 1 :]]
            continue
        bare = [arm for arm in group if _slots(arm) == 0 and not arm.runs[0].get("source")]
        chosen = bare or [arm for arm in finished if arm.summary.task == task][:1]
        pairs += _against(chosen, group)
        told.append(
            f"{len(group)} arms{f' of {task}' if len(tasks) > 1 else ''} are too many for all "
            f"pairs: each is set against {chosen[0].label}"
            f"{' (or its like)' if len(chosen) > 1 else ''}; choose another with "
            "--baseline ARM, or fewer with --arms"
        )
    if not pairs:  # one arm of each task: the reason why they are not compared is told
        return _against(finished[:1], finished), told
    return pairs, told


def _against(baselines: Sequence[Arm], arms: Sequence[Arm]) -> Pairs:
    """Each arm against the baseline most like it: of its task, of its model, else the first."""
    pairs = []
    for arm in arms:
        nearest = max(baselines, key=lambda one: _likeness(one, arm)[:2])
        if nearest is not arm:
            pairs.append((nearest, arm))
    return pairs


def _lined_up(arms: Sequence[Arm]) -> Pairs:
    """Arms of later tables against the arm of that name in the first table that has one."""
    first: dict[str, str] = {}
    for arm in arms:
        first.setdefault(arm.summary.arm, arm.source)
    pairs = []
    for arm in arms:
        name, source = arm.summary.arm, first[arm.summary.arm]
        if arm.source != source:
            namesakes = [one for one in arms if one.source == source and one.summary.arm == name]
            pairs.append((max(namesakes, key=lambda one: _likeness(one, arm)), arm))
    return pairs


def _without_namesake(arms: Sequence[Arm], pairs: Pairs) -> list[str]:
    used = {arm.label for pair in pairs for arm in pair}
    others = [arm.label for arm in arms if arm.label not in used]
    if not others:
        return []
    return [
        f"{', '.join(others)}: in one of the tables only, so not compared; "
        "name an arm to compare with by --baseline ARM"
    ]


def _likeness(one: Arm, other: Arm) -> tuple[bool, bool, int]:
    same = sum(other.key.get(name) == value for name, value in one.key.items())
    return (
        one.summary.task == other.summary.task,
        one.summary.model == other.summary.model,
        same,
    )


def _slots(arm: Arm) -> int:
    """0 without retriever and adapter, then retriever alone, adapter alone, both."""
    row = arm.runs[0]
    return bool(row.get("retriever")) + 2 * bool(row.get("adapter"))
