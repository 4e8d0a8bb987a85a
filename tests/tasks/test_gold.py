import pytest

from harness.tasks.gold import fold, gold, make_gold, split_brackets, tidy
from tasks.factbook_samples import country


def answers(relation, **fields):
    found = gold(country(**fields), relation)
    return None if found is None else list(found.answers)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Mont Agou 986 m", ["Mont Agou", "Agou", "Mount Agou"]),
        ("Zugspitze 2,963 m", ["Zugspitze", "Mount Zugspitze"]),
        ("Mount Olympus 2,917", ["Mount Olympus", "Olympus"]),
        ("K2 (Mt. Godwin-Austen) 8,611 m", ["K2", "Mt. Godwin-Austen"]),
        ("Aoraki/Mount Cook 3,724 m; note - it was higher", ["Aoraki", "Mount Cook"]),
        ("Mount McKinley 6,190 m (highest point in North America)", ["Mount McKinley"]),
        ("Halti (alternatively Haltia, Haltitunturi) 1,328 m", ["Halti", "Haltia"]),
        ("Nanlaud on Pohnpei 782 m", ["Nanlaud", "Mount Nanlaud"]),
        ("Margherita Peak on Mount Stanley 5,110 m", ["Margherita Peak", "Mount Stanley"]),
        ("unnamed elevation 675 m; located near Kotopounga", None),
        ("1.3 km NE of Old Bight on Cat Island 64 m", None),
        ("As Sarawat range, 3,000 m", None),
        ("", None),
    ],
)
def test_highest_point(raw, expected):
    found = answers("highest point", highest=raw)
    assert found is None if expected is None else found[: len(expected)] == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("lion", ["lion"]),
        ("lion, elephant", ["lion", "elephant"]),
        ("rifle, and book", ["rifle", "book"]),
        ("palmchat (bird)", ["palmchat"]),
        ("coco de mer (sea coconut)", ["coco de mer", "sea coconut"]),
        ("a 24-rayed star", ["24-rayed star"]),
        ("golden wattle tree (<em>Acacia</em>)", ["golden wattle tree", "golden wattle"]),
        ("golden rampant lion", ["golden rampant lion", "golden lion", "lion"]),
        # too long to be said back, so the second symbol is the canonical answer
        (
            "star between the extended horns of a crescent moon, fennec fox",
            ["fennec fox", "star between the extended horns of a crescent moon"],
        ),
        ("no official symbol; a knight is traditional", None),
        ("a white serrated band with nine white points on a field", None),
    ],
)
def test_national_symbol(raw, expected):
    assert answers("national symbol", symbol=raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('"Mila Rodino" (Dear Homeland)', ["Mila Rodino", "Dear Homeland"]),
        (
            "&ldquo;P&aacute;tria Amada&rdquo; (Fatherland)",
            ["Pátria Amada", "Patria Amada", "Fatherland"],
        ),
        ("&ldquo;Humat ad-Diyar (Guardians of the Homeland)", ["Humat ad-Diyar"]),
        ('"A b" [Ndebele] "C d" [Shona] (Blessed)', ["A b", "C d", "Blessed"]),
        # an answer that only repeats the country's name or adjective would always be "right"
        ('"Avalonia" (Avalon)', ["Avalonia"]),
        ('"La Avalon" (The Avalonian)', ["La Avalon"]),
        ('"Himno Nacional" (National Anthem of Avalon)', None),
        ('"God Save the King"', None),
        ("", None),
    ],
)
def test_anthem(raw, expected):
    found = answers("anthem", anthem=raw)
    assert found is None if expected is None else found[: len(expected)] == expected


def test_a_royal_anthem_is_not_taken_for_the_national_one():
    assert answers("anthem", anthem='"Kungssangen"', history="royal anthem since 1844") is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Parliament (Knesset)", ["Knesset"]),
        ("National Assembly (Milli Majlis)", ["National Assembly", "Milli Majlis"]),
        ("Federal Parliament", ["Federal Parliament"]),
        (
            "Council of Representatives of Avalon",
            ["Council of Representatives of Avalon", "Council of Representatives"],
        ),
        ("Assembly of the Republic (Sobranie)", ["Assembly of the Republic", "Sobranie"]),
        ("Diet (Landtag)", ["Diet", "Landtag"]),
        ("Parliament", None),
        ("Parliament (Parlement)", None),
        ("Avalonian Parliament", None),
        ("Parliament of Avalon", None),
        ("Legislature", None),
        ("", None),
    ],
)
def test_legislature(raw, expected):
    assert answers("legislature", legislature=raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Bras&iacute;lia", ["Brasília", "Brasilia"]),
        ("Kyiv (Kiev is the transliteration)", ["Kyiv", "Kiev"]),
        ("Porto-Novo (constitutional capital); Cotonou (seat of government)", ["Porto-Novo"]),
        ("Suva (on Viti Levu)", ["Suva"]),
        ("Santiago; note - Valparaiso is the seat of the legislature", ["Santiago"]),
        ("Avalon", None),
        ("no official capital; offices in a district", None),
    ],
)
def test_capital(raw, expected):
    found = answers("capital", capital=raw)
    assert found is None if expected is None else found[: len(expected)] == expected


def test_corrections_replace_what_the_rules_read():
    assert gold(country("sz", anthem='"four names"'), "anthem").text == "Schweizerpsalm"
    assert gold(country("mz", symbol="rifle, hoe, and book"), "national symbol") is None


def test_every_alias_differs_from_the_answer_and_from_each_other():
    found = make_gold(["The Łódź", "lodz", "Łódź", "LODZ"])
    assert found.answers == ("Łódź", "Lodz")


def test_no_usable_candidate_gives_none():
    assert make_gold(["", "Parliament", "one two three four five six seven"]) is None


def test_small_text_tools():
    assert fold("Törshavn œ Ħ ş") == "Torshavn oe H s"
    assert tidy(' "The Valley," ') == "Valley"
    assert tidy("Washington, D.C.") == "Washington, D.C."
    assert split_brackets("a (b (c) d) e (f") == ("a e", ["b (c) d", "f"])
