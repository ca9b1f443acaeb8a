"""Notices: what a no or a yes says, whom it reaches, when something is due, and what can be erased."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import Contribution, Party, RegistryError, Role, Work, account_id, party_id, sha256_hex, work_id
from byline.registry import (
    DEFAULT_USES,
    USES,
    Change,
    Defaults,
    Dossier,
    Level,
    Names,
    Notice,
    NoticeKind,
    Notices,
    Papers,
    Reached,
    Registry,
    Target,
    TargetKind,
    Use,
    What,
    blocks,
    challenge,
    clocks,
    new_id,
    next_due,
    open_database,
    ordered_uses,
    read_target,
    read_wishes,
    text_units,
)
from byline.registry.optout_iscc import bits_apart

NOW = datetime(2026, 1, 30, 9, 0, tzinfo=UTC)
DAY = NOW.date()
SPEECH = (
    "The river rose in the night and the mill stood in water to the second floor. We carried the flour up by hand, "
    "sack after sack, and when the morning came there was bread for the whole street, though nobody had slept. "
) * 8


def work(title="One", source="https://www.example.org/gallery/one", by="Ada Moore", content=b"one"):
    account = account_id(by)
    digest = sha256_hex(content)
    return Work(
        work_id(account, title, digest), title, "text", account, (Contribution(party_id(by), Role.AUTHOR),),
        date(2020, 1, 1), source, "CC0-1.0", digest,
    )  # fmt: skip


def notice(about=TargetKind.DOMAIN, value="example.org", **other):
    settings = {
        "id": new_id("opt-out"), "kind": NoticeKind.OPT_OUT, "target": Target(about, value), "uses": DEFAULT_USES,
        "effective": DAY, "until": None, "received": NOW,
    } | other  # fmt: skip
    return Notice(**settings)


def no_codes(_):
    raise AssertionError("codes are computed for ISCC targets only")


def found(target, *works):
    return set(Reached(works, no_codes).by(target).works)


# --- what a notice says ------------------------------------------------------------------------------------------


def test_records_come_back_from_json():
    one = notice(until=DAY + timedelta(days=3), laws=("gdpr",))
    assert Notice.from_json(one.to_json()) == one
    change = Change(one.id, What.VERIFIED, NOW, Level.DOMAIN)
    assert Change.from_json(change.to_json()) == change


@pytest.mark.parametrize("uses", [(), (Use.SEARCH, Use.TDM), (Use.TDM, Use.TDM), (Use.VOICE_SYNTHESIS,)])
def test_uses_are_some_and_in_one_order(uses):
    with pytest.raises(RegistryError) as fault:
        notice(uses=uses)
    assert fault.value.code == "bad-notice"


@given(st.lists(st.sampled_from([str(use) for use in USES])))
def test_uses_are_kept_in_one_order_however_they_are_written(names):
    assert ordered_uses(names) == tuple(use for use in USES if str(use) in names)


def test_a_no_to_mining_covers_training_and_not_the_other_way():
    assert Dossier(notice(uses=(Use.TDM,))).covers(Use.TRAIN_GEN)
    assert not Dossier(notice(uses=(Use.TRAIN_OTHER,))).covers(Use.TRAIN_GEN)
    assert not Dossier(notice(uses=(Use.TRAIN_GEN,))).covers(Use.TDM)
    assert not Dossier(notice(uses=(Use.SEARCH,))).covers(Use.TRAIN_GEN)


@settings(max_examples=200)
@given(st.integers(-5, 5), st.one_of(st.none(), st.integers(0, 5)), st.one_of(st.none(), st.integers(-2, 8)))
def test_a_no_holds_from_its_first_day_to_its_last_or_to_its_withdrawal(asked, length, withdrawn):
    """For each day, against the plain words of the rule."""
    on = DAY + timedelta(days=asked)
    until = None if length is None else DAY + timedelta(days=length)
    changes = () if withdrawn is None else (Change("x", What.WITHDRAWN, NOW + timedelta(days=withdrawn)),)
    holds = asked >= 0 and (length is None or asked <= length) and (withdrawn is None or asked < withdrawn)
    assert Dossier(notice(until=until), changes).in_force(on) is holds


def test_only_a_withdrawal_or_a_rejection_ends_a_no():
    given_up = {what: Dossier(notice(), (Change("x", what, NOW),)).in_force(DAY) for what in What}
    assert {what for what, holds in given_up.items() if not holds} == {What.WITHDRAWN, What.REJECTED}


def test_levels_rise_and_do_not_fall():
    checks = [Change("x", What.VERIFIED, NOW, level) for level in (Level.IDENTITY, Level.CONTACT)]
    assert Dossier(notice(), tuple(checks)).level() is Level.IDENTITY
    assert Dossier(notice()).level() is Level.NONE


# --- whom it reaches ---------------------------------------------------------------------------------------------


def test_every_kind_of_target_reaches_its_works():
    one = work()
    two = work("Two", "https://other.net/x", "Ben Okoro", b"two")
    both = (one, two)
    for target in (
        Target(TargetKind.WORK, one.id),
        Target(TargetKind.FILE, one.sha256),
        Target(TargetKind.DOMAIN, "example.org"),
        Target(TargetKind.ACCOUNT, one.account),
        Target(TargetKind.COLLECTION, "https://www.example.org/gallery"),
        Target(TargetKind.CONTRIBUTOR, party_id("Ada Moore")),
    ):
        assert found(target, *both) == {one.id}, target


@pytest.mark.parametrize(
    ("source", "reached"),
    [
        ("https://example.org/a", True),
        ("http://EXAMPLE.org:8080/a", True),
        ("https://cdn.img.example.org/a", True),
        ("https://notexample.org/a", False),
        ("https://example.org.evil.net/a", False),
        ("https://evil.net/example.org", False),
        ("https://example.org@evil.net/", False),
        ("example.org", False),  # a shelf mark, not a URL
        ("", False),
    ],
)
def test_a_domain_reaches_subdomains_and_no_lookalikes(source, reached):
    assert bool(found(Target(TargetKind.DOMAIN, "example.org"), work(source=source))) is reached


@pytest.mark.parametrize(
    ("source", "reached"), [("https://a.org/g", True), ("https://a.org/g/1", True), ("https://a.org/gone", False)]
)
def test_a_collection_ends_where_its_path_does(source, reached):
    assert bool(found(Target(TargetKind.COLLECTION, "https://a.org/g"), work(source=source))) is reached


def test_a_file_is_reached_under_whatever_title_it_comes_back():
    again = work("Another title", "", "Quillmill Press")
    assert found(Target(TargetKind.FILE, again.sha256), work(), again) == {work().id, again.id}


def test_a_near_text_is_reported_and_not_reached():
    pytest.importorskip("iscc_core")
    texts = {
        "same": SPEECH.upper(),
        "near": SPEECH.replace("second floor", "third floor", 2),
        "other": "Bread wants flour, salt, yeast and time. " * 40,
    }
    units = {title: text_units(text, text.encode()) for title, text in texts.items()}
    works = [work(title, content=title.encode()) for title in texts]
    own = text_units(SPEECH, SPEECH.encode())
    target = Target(TargetKind.ISCC, f"ISCC:{own.content}")
    reach = Reached(works, lambda each: units[each.title]).by(target)
    titles = {each.id: each.title for each in works}
    assert [titles[each] for each in reach.works] == ["same"]  # upper case is the same text
    assert [titles[near.work] for near in reach.similar] == ["near"]
    assert 0 < reach.similar[0].bits <= 8 < bits_apart(own.content, units["other"].content)


def test_the_same_file_is_reached_by_its_instance_code_alone():
    pytest.importorskip("iscc_core")
    units = text_units(SPEECH, SPEECH.encode())
    edited = text_units(SPEECH.upper(), SPEECH.upper().encode())
    target = Target(TargetKind.ISCC, f"ISCC:{units.instance}")
    assert Reached([work()], lambda _: units).by(target).works == (work().id,)
    assert Reached([work()], lambda _: edited).by(target).works == ()


def test_blocks_name_every_no_and_the_one_that_has_held_longest():
    old = notice(effective=DAY - timedelta(days=9), uses=(Use.TDM,))
    new = notice(TargetKind.WORK, work().id)
    other = notice(TargetKind.WORK, work().id, uses=(Use.SEARCH,))
    claim = notice(TargetKind.WORK, work().id, kind=NoticeKind.CLAIM)
    given_all = [Dossier(each) for each in (new, old, other, claim)]
    (block,) = blocks(given_all, Reached([work()], no_codes), DAY).values()
    assert (block.notices, block.target, block.effective) == ((old.id, new.id), "domain:example.org", old.effective)
    assert blocks(given_all, Reached([work()], no_codes), DAY - timedelta(days=20)) == {}


# --- what people write -------------------------------------------------------------------------------------------

NAMES = Names.of([work(), work("Twice"), work("Twice", by="Ben Okoro")], [account_id("Ada Moore")], [])


def test_targets_as_people_write_them(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one")
    digest = sha256_hex(b"one")
    assert read_target("One", NAMES) == read_target(work().id, NAMES) == Target(TargetKind.WORK, work().id)
    for text in ("a.txt", "file:a.txt", f"sha256:{digest}", f"SHA256:{digest.upper()}"):
        assert read_target(text, NAMES, tmp_path) == Target(TargetKind.FILE, digest)
    assert read_target("domain: https://Example.ORG/x", NAMES) == Target(TargetKind.DOMAIN, "example.org")
    assert read_target("domain:bücher.example", NAMES).value == "xn--bcher-kva.example"
    for text in ("account:Ada Moore", account_id("Ada Moore")):
        assert read_target(text, NAMES) == Target(TargetKind.ACCOUNT, account_id("Ada Moore"))
    assert read_target("collection:https://a.org/g/", NAMES) == Target(TargetKind.COLLECTION, "https://a.org/g")
    people = Names.of([work()], [], [Party(party_id("Ben Okoro"), "Ben Okoro")])
    for text in ("Ben Okoro", "contributor:Ben Okoro"):
        assert read_target(text, people) == Target(TargetKind.CONTRIBUTOR, party_id("Ben Okoro"))


@pytest.mark.parametrize(
    "text",
    ["", "None of these", "domain:org", "domain:", "domain:..", "sha256:ab", "account:Nobody", "contributor:Nobody",
     "collection:", "collection:https://", "file:none.txt", "\x00", "../../etc"],
)  # fmt: skip
def test_what_is_no_target(text):
    with pytest.raises(RegistryError) as fault:
        read_target(text, NAMES)
    assert fault.value.code == "unknown-target"


def test_a_title_of_two_works_is_not_guessed():
    with pytest.raises(RegistryError) as fault:
        read_target("Twice", NAMES)
    assert fault.value.code == "ambiguous-target"


@pytest.mark.parametrize("text", ["ISCC:", "ISCC:KACT", "iscc:%%%", "ISCC:AAASIPCIXESXAN5W"])
def test_what_is_no_code_of_a_content(text):
    pytest.importorskip("iscc_core")
    with pytest.raises(RegistryError) as fault:
        read_target(text, NAMES)
    assert fault.value.code == "bad-iscc"


def test_a_file_of_targets_gives_all_its_problems_with_their_lines(tmp_path):
    path = tmp_path / "many.csv"
    path.write_text(
        "target,by,uses,from,until,laws\n"
        "One,Ada,,,,\n"
        "Nothing,,train.gen;fly,2026-02-30,,martian\n"
        "domain:a.org,Joe,,2026-05-01,2026-04-01,\n"
    )
    wishes, problems = read_wishes(path, NAMES, Defaults("", DAY))
    assert [(wish.target.value, wish.by) for wish in wishes] == [(work().id, "Ada")]
    said = [(problem.code, problem.at.line) for problem in problems]
    assert said == [("bad-date", 3), ("unknown-law", 3), ("unknown-target", 3), ("bad-dates", 4)]


@pytest.mark.parametrize("text", ["", "target\n", "targets\nOne\n", "target,target2\nOne,x\n"])
def test_files_without_targets(tmp_path, text):
    path = tmp_path / "many.csv"
    path.write_text(text)
    assert read_wishes(path, NAMES, Defaults("Ada", DAY))[1]


# --- clocks ------------------------------------------------------------------------------------------------------


def due(law, *changes):
    dossier = Dossier(notice(laws=() if law == "byline" else (law,)), changes)
    return {clock.what: clock.due for clock in clocks(dossier) if clock.law == law}


def test_clocks_by_hand():
    """NOW is Friday, 30 January 2026, 9:00."""
    assert list(due("byline").values()) == [NOW + timedelta(days=3), NOW + timedelta(days=14)]
    assert due("gdpr")["answer the request"] == NOW.replace(month=2, day=28)  # the last day of the shorter month
    assert due("gdpr", Change("x", What.EXTENDED, NOW))["answer the request"] == NOW.replace(month=4, day=30)
    assert due("ccpa")["confirm that it came in"] == NOW.replace(month=2, day=13)  # ten working days: two weekends
    assert due("ccpa")["answer the request"] == NOW + timedelta(days=45)
    assert due("pipl")["answer the request"] == NOW.replace(month=2, day=20)
    assert list(due("dmca").values()) == [NOW + timedelta(hours=24)]
    assert list(due("take-it-down").values()) == [NOW + timedelta(hours=48)]


def test_what_is_done_is_no_longer_owed():
    checked = Change("x", What.VERIFIED, NOW + timedelta(hours=1), Level.CONTACT)
    decided = Change("x", What.UPHELD, NOW + timedelta(hours=2))
    assert next_due(Dossier(notice())).what == "check who gave it"
    assert next_due(Dossier(notice(), (checked,))).what == "decide on it"
    assert next_due(Dossier(notice(), (checked, decided))) is None


# --- keeping -----------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(database, tmp_path):
    registry = Registry(database, tmp_path / "assets")
    return Notices(database, registry)


def papers(of, by="Ada Moore"):
    return Papers(of.id, by, "ada@example.org", "because", "", "5ec7e7" * 5)


def test_notices_come_back_with_what_happened_to_them(kept):
    one, two = notice(), notice(TargetKind.FILE, "ab" * 32, until=DAY)
    kept.add([(one, papers(one)), (two, papers(two))])
    checked = Change(one.id, What.VERIFIED, NOW, Level.CONTACT)
    kept.change(checked)
    assert kept.all() == (Dossier(one, (checked,)), Dossier(two))
    assert kept.papers(one.id) == papers(one) and set(kept.all_papers()) == {one.id, two.id}


def test_nothing_happens_to_what_has_ended_or_is_not_there(kept):
    one = notice()
    kept.add([(one, papers(one))])
    kept.change(Change(one.id, What.WITHDRAWN, NOW))
    for what in (What.VERIFIED, What.WITHDRAWN, What.UPHELD):
        with pytest.raises(RegistryError) as fault:
            kept.change(Change(one.id, what, NOW + timedelta(days=1)))
        assert fault.value.code == "notice-ended"
    with pytest.raises(RegistryError) as fault:
        kept.change(Change("optout:none", What.UPHELD, NOW))
    assert fault.value.code == "no-such-notice"


def test_all_are_kept_or_none(kept):
    one = notice()
    with pytest.raises(sa.exc.IntegrityError):
        kept.add([(one, papers(one)), (one, papers(one))])
    assert kept.all() == ()


@pytest.mark.parametrize("table", ["notices", "notice_changes"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET body = 'x'", "DELETE FROM {}"])
def test_a_notice_cannot_be_edited(kept, database, table, statement):
    one = notice()
    kept.add([(one, papers(one))])
    kept.change(Change(one.id, What.VERIFIED, NOW, Level.CONTACT))
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.begin() as connection:
        connection.execute(sa.text(statement.format(table)))


def test_a_name_is_erased_and_the_no_goes_on(kept):
    one = notice()
    kept.add([(one, papers(one))])
    assert kept.forget(one.id, NOW) and not kept.forget(one.id, NOW)
    assert kept.papers(one.id) is None
    (dossier,) = kept.all()
    assert dossier.in_force(DAY) and [change.what for change in dossier.changes] == [What.FORGOTTEN]


def test_nothing_of_a_person_is_left_in_the_files_of_the_database(tmp_path):
    path = tmp_path / "byline.db"
    engine = open_database(path)
    kept = Notices(engine, Registry(engine, tmp_path / "assets"))
    one = notice()
    kept.add([(one, papers(one, by="Zebedee Quixotic"))])
    assert b"Quixotic" in b"".join(file.read_bytes() for file in tmp_path.glob("byline.db*"))
    kept.forget(one.id, NOW)
    engine.dispose()
    assert b"Quixotic" not in b"".join(Path(file).read_bytes() for file in tmp_path.glob("byline.db*"))


def test_a_challenge_is_of_one_notice_and_one_way():
    one, two = notice(), notice()
    words = {challenge(papers(each), way) for each in (one, two) for way in ("domain", "contact", "withdraw")}
    assert len(words) == 6 and all(word.startswith("byline-verify=") for word in words)


def test_a_no_for_want_of_a_licence_holds_until_there_is_one():
    one, free = work(), work("Two", "https://www.example.org/gallery/two")
    reached, plain = Reached([one, free], no_codes), Dossier(notice())
    asked = Dossier(notice(unless_licensed=True))
    assert set(blocks([asked], reached, DAY)) == {one.id, free.id}
    assert set(blocks([asked], reached, DAY, licensed={one.id})) == {free.id}
    assert set(blocks([asked, plain], reached, DAY, licensed={one.id, free.id})) == {one.id, free.id}


def test_a_yes_has_no_condition_and_old_notices_are_read(kept):
    with pytest.raises(RegistryError, match="a yes with a condition"):
        notice(kind=NoticeKind.CLAIM, unless_licensed=True)
    old = {name: value for name, value in notice().to_json().items() if name != "unless_licensed"}
    with kept._engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO notices (id, body) VALUES (:id, :body)"),
                           {"id": old["id"], "body": json.dumps(old)})  # fmt: skip
    assert kept.all()[0].notice.unless_licensed is False
