"""Progress bars pass items through, and say nothing where nobody watches."""

import pytest

from harness.progress import bar, track


def test_items_pass_through_in_order_and_silently(capsys: pytest.CaptureFixture[str]):
    assert list(track(iter("abc"), "reading")) == ["a", "b", "c"]
    with bar("training", 10) as advance:
        advance(3)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_on_a_terminal_the_bar_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert list(track([1, 2], "reading")) == [1, 2]
    captured = capsys.readouterr()
    assert "reading" in captured.err
    assert "2/2" in captured.err
    assert captured.out == ""


def test_an_error_within_ends_the_bar_and_passes_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with pytest.raises(ValueError, match="bad item"):
        for _ in track([1, 2], "reading"):
            raise ValueError("bad item")
    # A second bar would fail if the first one's display were still alive.
    assert list(track([3], "again")) == [3]
