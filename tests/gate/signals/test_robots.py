"""robots.txt: groups, patterns and access against slow oracles and Protego; line numbers; inference; time."""

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protego import Protego

from byline.gate.signals import Inference, Reading, known_agents, read_robots, robots_unavailable
from byline.gate.signals.patterns import matches, normal
from byline.gate.signals.robots_file import parse_robots

PIECES = st.lists(st.sampled_from(["a", "b", "/", "*", "aa", "ab/"]), max_size=8).map("".join)
PATHS = st.text("ab/", max_size=14).map(lambda text: "/" + text)
DENY_TRAINING = {"train.gen": "deny", "train.other": "deny"}


@given(PIECES, st.booleans(), PATHS)
@settings(max_examples=400, deadline=None)
def test_patterns_match_as_the_regular_expression_does(piece, anchored, path):
    pattern = "/" + piece + ("$" if anchored else "")
    slow = re.escape("/" + piece).replace(r"\*", ".*") + (r"\Z" if anchored else "")
    assert matches(pattern, path) == bool(re.match(slow, path, re.DOTALL))


LINES = st.lists(
    st.one_of(
        st.sampled_from(["User-agent: foo", "User-agent: bar", "User-agent: *", "", "# note", "Sitemap: https://h/s"]),
        st.tuples(st.sampled_from(["Allow", "Disallow"]), PIECES).map(lambda t: f"{t[0]}: /{t[1]}"),
    ),
    max_size=14,
)


def slow_access(lines, agent, path):
    """RFC 9309, section 2.2.2, one line at a time: first the groups, then every rule against the path."""
    groups, members, naming = [], [], False
    for line in lines:
        key, _, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if key == "user-agent":
            if not naming:
                members = []
                groups.append((members, []))
            members.append(value.lower())
            naming = True
        elif key in ("allow", "disallow"):
            naming = False
            if groups:
                groups[-1][1].append((key, value))
    for wanted in (agent, "*"):
        if any(wanted in names for names, _ in groups):
            rules = [rule for names, rules in groups if wanted in names for rule in rules]
            break
    else:
        return True
    best = (-1, True)
    for key, value in rules:
        slow = re.escape(value).replace(r"\*", ".*").replace(r"\$", r"\Z")
        if value and re.match(slow, path, re.DOTALL):
            best = max(best, (len(value), key == "allow"))
    return best[1]


@given(LINES, st.sampled_from(["foo", "bar", "baz"]), PATHS)
@settings(max_examples=400, deadline=None)
def test_access_is_what_the_rules_say_one_by_one(lines, agent, path):
    robots = parse_robots("\n".join(lines).encode())
    ours = robots.access(agent, path)[0] is Reading.ALLOW
    assert ours == slow_access(lines, agent, path)


@given(LINES, st.sampled_from(["foo", "bar", "baz"]), PATHS)
@settings(max_examples=200, deadline=None)
def test_access_is_what_protego_says(lines, agent, path):
    text = re.sub("//+", "/", "\n".join(lines))  # Protego takes a pattern that begins with two slashes for a host
    ours = parse_robots(text.encode()).access(agent, path)[0] is Reading.ALLOW
    assert ours == Protego.parse(text).can_fetch(f"https://h{path}", agent)


def test_observations_name_rule_and_line(at):
    body = b"# hello\nUser-agent: *\nContent-Usage: /a/ train-ai=n\n\nUser-agent: GPTBot\nDisallow: /a\n"
    seen = {one.family: one for one in read_robots(body, at("/a/b")).observations if one.canonical}
    assert (seen["aipref"].line, seen["aipref"].raw) == (3, "content-usage: /a/ train-ai=n")
    assert seen["robots"].line == 6 and "gptbot" in seen["robots"].rule
    assert known_agents().source in seen["robots"].notes[0]


@pytest.mark.parametrize(
    ("inference", "agent", "expected"),
    [
        (Inference.ANY_TRAINING_AGENT, "OurBot", DENY_TRAINING),
        (Inference.OWN_AGENT, "OurBot", {}),
        (Inference.OWN_AGENT, "GPTBot", DENY_TRAINING),
        (Inference.OFF, "GPTBot", {}),
    ],
)
def test_whose_exclusion_counts_is_a_switch(inference, agent, expected, at, reading):
    body = b"User-agent: GPTBot\nDisallow: /\n"
    assert reading(read_robots(body, at("/", agent), inference=inference)) == expected


def test_access_is_denied_if_protego_or_we_say_so(at):
    body = b"User-agent: Claude\nDisallow: /\n"
    seen = read_robots(body, at("/", "Claude-SearchBot")).observations[0]
    assert seen.access is Reading.DENY and "Protego" in seen.notes[0]


def test_the_list_of_agents_is_pinned_and_keeps_searching_apart_from_training():
    agents = known_agents()
    assert {"gptbot", "ccbot", "google-extended", "claudebot", "bytespider"} <= set(agents.training())
    assert set(agents.training()).isdisjoint({"googlebot", "bingbot", "oai-searchbot", "chatgpt-user", "*"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", agents.retrieved) and "2026-09-14" in agents.source


def test_a_file_that_did_not_come_denies_access_and_allows_nothing(at):
    assert robots_unavailable(at(), 500).problems[0].code == "fetch-failed"
    assert robots_unavailable(at(), 404).problems == ()
    for status in (0, 301, 404, 429, 500):
        assert all(not seen.canonical for seen in robots_unavailable(at(), status).observations)


def steps_of(body, target):
    """How many functions, Python's and C's, are called to read a file: the same on every machine, busy or not."""
    parse_robots.cache_clear()
    steps = 0

    def count(_frame, event, _what):
        nonlocal steps
        steps += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        read_robots(body, target)
    finally:
        sys.setprofile(before)
    return steps


HOSTILE = {
    "agents": lambda n: b"".join(b"User-agent: a%d\n" % i for i in range(n)) + b"Disallow: /x\n" * n,
    "one group": lambda n: b"User-agent: *\n" + b"Disallow: /a*b*c$\n" * n,
    "asterisks": lambda n: b"User-agent: *\nDisallow: /" + b"*a" * n + b"\n",
    "usage": lambda n: b"User-agent: *\n" + b"Content-Usage: /x train-ai=y\n" * n,
    "groups of all": lambda n: b"User-agent: *\nDisallow: /y\n\n" * n,
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", HOSTILE)
def test_ten_megabytes_come_to_an_end_and_are_a_stated_problem(kind, at, reading):
    body = HOSTILE[kind](400_000)
    body = (body * (1 + 10 * 2**20 // len(body)))[: 10 * 2**20]
    parse_robots.cache_clear()
    found = read_robots(body, at("/" + "ab" * 1000))
    assert [fault.code for fault in found.problems].count("robots-too-long") == 1
    assert "allow" not in reading(found).values()


@pytest.mark.parametrize("kind", HOSTILE)
def test_work_grows_with_the_length_not_with_its_square(kind, at):
    small, large = (steps_of(HOSTILE[kind](length), at("/abc")) for length in (2_000, 16_000))
    assert large < 1.5 * 8 * small  # the square would be 64 times as many


def test_the_path_is_compared_as_the_rfc_says():
    assert normal("/foo/bar/ツ") == "/foo/bar/%E3%83%84" == normal("/foo/bar/%e3%83%84")
    assert normal("/%7Ejoe") == "/~joe" and normal("/a%2Fb") == "/a%2Fb" and normal("/100%") == "/100%"
    assert normal("/\udce4\ud800") == "/%E4%ED%A0%80"
