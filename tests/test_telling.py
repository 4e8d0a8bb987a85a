"""A setting that came later, at the value of before, changes no hash and no key."""

from __future__ import annotations

import pytest

from harness import telling as module
from harness.telling import telling


def test_a_later_setting_tells_only_where_it_differs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ADDED_LATER", {"prompt": {"shots": 0, "nested": {"a": 1}}})
    old = {"system": "Answer."}
    assert telling("prompt", {**old, "shots": 0, "nested": {"a": 1}}) == old
    assert telling("prompt", {**old, "shots": 2, "nested": {"a": 1}}) == {**old, "shots": 2}
    assert telling("prompt", {**old, "nested": {"a": 2}}) == {**old, "nested": {"a": 2}}
    assert telling("measure", {"shots": 0}) == {"shots": 0}
