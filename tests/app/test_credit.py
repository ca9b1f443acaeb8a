"""A chapter taken from an earlier book earns its taker nothing: neither by influence, nor by length."""

import random

import pytest
from tiny_project import byline, write_csv

from byline.app.credit import NOBODY, credited_clusters, excerpts_of, own_stakes, without_nobody
from byline.app.home import Home
from byline.app.money_files import STANDARD_POLICY
from byline.core import PPB, Example, ExampleId, Share, ShareTable, cluster_id

STOLEN = 400  # words


def prose(seed, words):
    chance = random.Random(seed)
    return [f"w{chance.randrange(5000)}" for _ in range(words)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A book by Ann, and one by Eve with a chapter of Ann's in its middle."""

    def made(opt_out=False):
        book, own = prose(1, 3000), prose(2, 3000)
        mixed = [*own[:1500], *book[1000 : 1000 + STOLEN], *own[1500:]]
        for name, text in (("ann", book), ("eve", mixed)):
            (tmp_path / f"{name}.txt").write_text(" ".join(text))
        columns = ["path", "title", "contributor", "role", "created", "source", "licence"]
        rows = [[f"{name.lower()}.txt", f"By {name}", name, "author", "2020-01-01", "", "CC0-1.0"] for name in
                ("Ann", "Eve")]  # fmt: skip
        write_csv(tmp_path / "works.csv", columns, *rows)
        out = ["Ann", "", "2020-01-01", "2020-01-01", "no"]
        named = ["contributor", "title", "effective", "recorded", "reason"]
        write_csv(tmp_path / "out.csv", named, *([out] if opt_out else []))
        monkeypatch.setenv("BYLINE_HOME", str(tmp_path / "home"))
        monkeypatch.chdir(tmp_path)
        assert byline("register", "works.csv", "--opt-outs", "out.csv").code == 0
        assert byline("freeze").code == 0
        at = len(" ".join(own[:1500])) + 1
        return Home(tmp_path / "home"), at, len(" ".join(book[1000 : 1000 + STOLEN]))

    return made


def by_name(home):
    return {work.title.removeprefix("By "): work.id for work in home.works.values()}


def examples(work, at, length):
    spans = ((0, 50), (at + 5, at + 300), (at + length + 10, at + length + 400))
    return [Example(ExampleId(f"example:{n}"), work, *span, "00" * 32) for n, span in enumerate(spans)]


def test_what_was_taken_is_credited_to_whom_it_was_taken_from(place):
    home, at, length = place()
    works, manifest = by_name(home), home.registry.latest_manifest()
    (found,) = excerpts_of(home, manifest)
    assert (found.work, found.earlier) == (works["Eve"], works["Ann"])
    ann, eve = cluster_id(works["Ann"]), cluster_id(works["Eve"])
    assert credited_clusters(home, manifest, examples(works["Eve"], at, length)) == [eve, ann, eve]
    lengths = {stake.cluster: stake.length for stake in own_stakes(home, manifest, STANDARD_POLICY)}
    assert lengths[ann] == len(home.registry.text(works["Ann"]))
    assert abs(lengths[eve] - (len(home.registry.text(works["Eve"])) - length)) <= 20
    assert excerpts_of(Home(home.path), manifest) == (found,)  # kept


def test_what_was_taken_from_a_work_that_was_not_trained_on_pays_nobody(place):
    home, at, length = place(opt_out=True)
    works, manifest = by_name(home), home.registry.latest_manifest()
    assert [entry.work for entry in manifest.entries] == [works["Eve"]]
    eve = cluster_id(works["Eve"])
    assert credited_clusters(home, manifest, examples(works["Eve"], at, length)) == [eve, NOBODY, eve]
    lines = (Share(NOBODY, 300_000_000, 0, PPB), Share(eve, 500_000_000, 0, PPB))
    table = without_nobody(ShareTable("period", "cluster", "m", "run:1", 900_000, lines, PPB - 800_000_000))
    assert table.ppb() == {eve: 500_000_000} and table.unattributed_ppb == 500_000_000
