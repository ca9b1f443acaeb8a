import random
import re
import sys
import xml.etree.ElementTree as ET
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.app.report import check_report_data, write_report
from byline.app.report.charts import check_chart, loss_chart, shelf_chart
from byline.app.report.contract import CONTRACT
from byline.app.report.flow import flow_chart
from byline.app.report.markup import node, percent, signed, ticks
from byline.app.report.passage import (
    annotated,
    assign_colours,
    letter,
    number_people,
    sources_of,
    weightiest,
)
from byline.core import AppError

sys.path.insert(0, str(Path(__file__).parent))
from report_sample import sample

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Reads a page and keeps its elements, its ids and its text; a tag that does not close fails the test."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.ids, self.words, self.css = [], [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            self.css += data
        else:
            self.words.append(data)

    @property
    def text(self):
        return " ".join("".join(self.words).split())


def render(data, folder):
    path = folder / "report.html"
    write_report(data, path)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    return render(sample(), tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


# --- the page as a whole --------------------------------------------------------------------------------------


def test_the_page_is_balanced_and_its_ids_are_unique(page):
    assert len(page.ids) == len(set(page.ids))
    assert [tag for tag, _ in page.elements][:2] == ["html", "head"]


def test_links_inside_the_page_lead_somewhere(page):
    targets = [
        attributes["href"][1:] for tag, attributes in page.elements if attributes.get("href", "").startswith("#")
    ]
    assert len(targets) > 20
    assert set(targets) <= set(page.ids)


def test_nothing_is_loaded_from_anywhere(html, page):
    assert "http:" not in html and "https:" not in html and "@import" not in html and "@font-face" not in html
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "img", "iframe", "object", "form"})
    assert not [attributes for _, attributes in page.elements if "src" in attributes or "srcset" in attributes]
    assert set(re.findall(r"url\(([^)]*)\)", page.css)) == {"#hatch"}
    policy = next(a["content"] for tag, a in page.elements if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")


def test_the_sentence_and_the_first_generated_passage_come_first(tmp_path):
    data = sample()
    data["passages"].reverse()  # the held-out passage is handed over first
    html = render(data, tmp_path)
    sentence, lead, contents = (html.index(tag) for tag in ("<h1>", '<article class="passage lead"', "<nav"))
    assert html.index("<body>") < sentence < lead < html.index("has been kept in repair") < contents


def test_every_svg_is_well_formed_and_has_a_name(html):
    pictures = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(pictures) > 15
    for text in pictures:
        root = ET.fromstring(text)
        assert root.get("aria-label") or root.get("aria-hidden") == "true"
        for element in root.iter():
            assert not any("nan" in value or "inf" in value for value in element.attrib.values())


def test_every_chart_has_its_table(html):
    plates = re.findall(r'<figure class="plate">.*?</figure>', html, re.DOTALL)
    assert len(plates) == 3 * 4 + 5  # three for each of four passages; scatter, methods, flow, shelf, loss
    for plate in plates:
        assert "<details>" in plate and "<table>" in plate


def expected_words(data):
    """Texts and figures that a reader must find on the page."""
    for refused in data["corpus"]["refused"]:
        yield from refused.values()
    for passage in data["passages"]:
        yield from (passage["prompt"], passage["author"])
        yield percent(passage["unattributed"])
        for row in (*passage["contributors"], *passage["works"]):
            yield from (signed(row["score"]), percent(row["share"]), percent(row["high"]))
        for row in passage["works"]:
            yield from (row["title"], str(row["year"]))
        for row in passage["opposed"]:
            yield from (row["name"], signed(row["score"]))
        for overlap in passage["overlaps"]:
            yield from (f"{overlap['words']} words", overlap["title"], f"{overlap['in_works']} works")
    yield from (passage["title"] for passage in data["passages"][1:])  # the first has the sentence for a title
    check = data["check"]
    for pair in check["pairs"]:
        yield from (pair["contributor"], pair["query"], signed(pair["predicted"]), signed(pair["actual"]))
    for method in check["methods"]:
        yield method["method"]
        yield from (signed(method[key], 2) for key in ("spearman", "low", "high", "pearson", "slope"))
        yield percent(method["top1"])
    yield from (check["sentence"], "79%", "0.58", "0.37", "0.73", "18 retrainings")
    yield f"with the truth is {signed(check['methods'][1]['spearman'], 2)}, where 1"  # of the method that colours
    money = data["money"]
    yield from (money[key] for key in ("received", "commission", "held", "allocated", "formula", "copycat_gain"))
    for rows in (money["payees"], money["flow"], money["events"], money["split"]):
        for row in rows:
            yield from (str(value) for key, value in row.items() if key not in ("nano", "statement", "percent"))
    yield from ("52.5%", "47.5%", money["split_title"], *[v for v in money["optout"].values() if isinstance(v, str)])
    yield from ("2,113,792", "900", "4.318", "6.613", "75.0", "744.7", "1.31", "8,448", "75%", "bit for bit", "524,288")
    yield from ("model.embed_tokens.weight", "tied to the output layer", "1,934,522", "243", "233", "43")
    yield from (data["corpus"][key] for key in ("manifest", "root", "citation"))
    yield from ("42 of 42 statements", "summary.payable", "was refused", data["notice"], *data["limits"])
    yield from ("2026-02-03", "0.1.0", "2 CPU cores", "312 seconds")


def test_everything_that_must_be_shown_is_shown(page):
    wanted = [" ".join(words.split()) for words in expected_words(sample())]
    assert [words for words in wanted if words not in page.text] == []


def test_statements_are_linked(page):
    links = {attributes.get("href") for tag, attributes in page.elements if tag == "a"}
    assert {payee["statement"] for payee in sample()["money"]["payees"]} <= links


def test_hostile_text_stays_text(tmp_path):
    evil = "<script>alert('x')</script>\"onmouseover=\"x"
    data = sample()
    plain = render(data, tmp_path)
    spoiled = _replace_texts(data, evil)
    html = render(spoiled, tmp_path)
    assert "<script" not in html and evil not in html
    tags = [[tag for tag, _ in Page(text).elements] for text in (plain, html)]
    assert "script" not in tags[1]
    assert not [attributes for _, attributes in Page(html).elements if "onmouseover" in attributes]
    assert "<script>alert('x')</script>" in Page(html).text


def _replace_texts(value, evil, key=""):
    """Every text of the data becomes the hostile one, but for those that have a form (kinds, amounts, paths)."""
    if isinstance(value, dict):
        return {name: _replace_texts(item, evil, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_replace_texts(item, evil, key) for item in value]
    if isinstance(value, str) and key not in ("kind", "nano", "statement", "text", "from", "to", "currency"):
        return evil
    return value


# --- colours --------------------------------------------------------------------------------------------------


def luminance(rgb):
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (channel / 255 for channel in rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def palettes(css):
    """The variables of the light page, the dark page and print, each with what it inherits from the light one."""
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    found = [dict(re.findall(r"--(\w+): ([^;]+);", block)) for block in blocks]
    assert len(found) == 3
    return [{**found[0], **mine} for mine in found]


@pytest.mark.parametrize("index", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_and_marks_have_enough_contrast(page, index):
    palette = palettes(page.css)[index]
    rgb = {name: tuple(map(int, value.split())) for name, value in palette.items() if value.count(" ") == 2}
    assert contrast(rgb["ink"], rgb["paper"]) >= 7
    assert contrast(rgb["soft"], rgb["paper"]) >= 4.5
    assert contrast(rgb["ink"], rgb["wash"]) >= 4.5
    for hue in range(7):
        assert contrast(rgb[f"c{hue}"], rgb["paper"]) >= 3  # marks and bars
        for strength in ("s1", "s2", "s3"):
            part = float(palette[strength])
            tint = [part * t + (1 - part) * p for t, p in zip(rgb[f"t{hue}"], rgb["paper"], strict=True)]
            assert contrast(rgb["ink"], tint) >= 4.5


@given(st.lists(st.lists(st.sampled_from("abcdefghij"), unique=True, max_size=9), max_size=8))
def test_colours_differ_inside_a_passage_and_stay_with_a_person_if_free(groups):
    usual = {}
    for group, colours in zip(groups, assign_colours(groups), strict=True):
        assert list(dict.fromkeys(group))[:6] == [name for name in group if name in colours]
        assert len(set(colours.values())) == len(colours)
        assert set(colours.values()) <= set(range(1, 7))
        kept = [name for name in colours if name in usual and usual[name] == colours[name]]
        for name in set(colours) & set(usual) - set(kept):
            assert usual[name] in [colours[other] for other in kept]
        usual = {**colours, **usual}


# --- the coloured text ----------------------------------------------------------------------------------------


def test_a_run_is_tinted_numbered_and_explained():
    passage = sample()["passages"][0]
    numbers = number_people(sample())
    [colours] = assign_colours([weightiest(passage)])
    html = annotated(passage, sources_of(passage, numbers, colours, "p1"), "p1")
    number, colour = numbers["Abraham Lincoln"], colours["Abraham Lincoln"]
    assert f'<span class="run c{colour}"><span class="s1">It is the duty' in html
    assert f' and</span><sup><a href="#p1-{number}" data-who="Abraham Lincoln · 22% of the score' in html
    assert "</span> the peace of our frontier <span" in html  # nobody stands out: no tint, no number


def test_an_overlap_is_underlined_over_the_edge_of_a_run_and_lettered_once():
    passage = sample()["passages"][0]
    sources = sources_of(passage, number_people(sample()), {}, "p1")
    html = annotated(passage, sources, "p1")
    marked = re.findall(r"<u[^>]*>([^<]*)</u>", html)
    assert " ".join(marked) == "and the receipts of the year have exceeded the estimates which were laid"
    assert html.count('href="#p1-a"') == 1


names = st.sampled_from(["", "Ann", "Bob", "Cleo"])
segments = st.lists(
    st.builds(
        lambda text, name, share: {"text": text, "contributor": name, "share": share},
        st.text(alphabet="ab <&\n", max_size=8),
        names,
        st.floats(0, 1),
    ),
    max_size=8,
)


@settings(max_examples=300)
@given(segments, st.data())
def test_the_words_are_all_there_whatever_the_segments_and_overlaps(segments, data):
    text = "".join(segment["text"] for segment in segments)
    spans = data.draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, len(text))), max_size=3))
    overlaps = [
        {"start": a, "end": b, "words": 8, "title": "T", "contributor": "Ann", "in_works": 1} for a, b in spans if a < b
    ]
    passage = {"text": text, "segments": segments, "overlaps": overlaps}
    sources = sources_of(passage, {"Ann": 1, "Bob": 2, "Cleo": 3}, {"Ann": 1}, "p")
    html = annotated(passage, sources, "p")
    Page(html)
    notes = re.sub(r"<sup.*?</sup>", "", html)
    assert "".join(Page(notes).words) == text
    underlined = {i for o in overlaps for i in range(o["start"], o["end"]) if not text[i].isspace()}
    assert sum(len("".join(re.findall(r"\S", words))) for words in _underlined(notes)) == len(underlined)


def _underlined(html):
    return [unescape(words) for words in re.findall(r"<u[^>]*>([^<]*)</u>", html)]


def test_letters_go_on_after_z():
    assert [letter(i) for i in (0, 25, 26, 27, 701, 702)] == ["a", "z", "aa", "ab", "zz", "aaa"]


# --- charts ---------------------------------------------------------------------------------------------------


def test_a_mark_stands_where_its_figures_say():
    pairs = [
        {"contributor": name, "query": "q", "predicted": x, "actual": y}
        for name, x, y in (("Ann", 0.0, 0.0), ("Bob", 0.5, 1.0), ("Cleo", 1.0, 2.0), ("Dan", -1.0, -2.0))
    ]
    root = ET.fromstring(check_chart(pairs, {"Ann": 1}).pictures[0])
    titles = {element.find("title").text.split(" →")[0]: element for element in root.iter() if _is_mark(element)}
    middle = {name: _middle(element) for name, element in titles.items()}
    assert middle["Bob"][0] - middle["Ann"][0] == pytest.approx((middle["Cleo"][0] - middle["Ann"][0]) / 2, abs=0.6)
    assert middle["Cleo"][1] < middle["Bob"][1] < middle["Ann"][1] < middle["Dan"][1]
    assert middle["Dan"][0] < middle["Ann"][0]
    kinds = [(e.tag, len(e.get("d", "")), e.get("class")) for e in titles.values()]
    assert len(set(kinds)) == 4  # told apart by shape as well


def _is_mark(element):
    return element.get("class", "").startswith("mark")


def _middle(element):
    if element.tag == "circle":
        return float(element.get("cx")), float(element.get("cy"))
    numbers = [float(value) for value in re.findall(r"-?\d+\.?\d*", element.get("d"))]
    xs, ys = numbers[::2], numbers[1::2]
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def test_bands_of_money_are_as_wide_as_their_amounts():
    edges = [("in", "pot", 90), ("in", "fee", 10), ("pot", "Ann", 60), ("pot", "Bob", 30)]
    flow = [{"from": a, "to": b, "nano": str(n * 10**9), "text": f"{n}.00 EUR"} for a, b, n in edges]
    chart = flow_chart(flow, "EUR")
    for picture in chart.pictures:
        root = ET.fromstring(picture)
        heights = [float(box.get("height")) for box in root.iter("rect")]
        assert [height / heights[0] for height in heights] == pytest.approx([1, 0.9, 0.1, 0.6, 0.3], rel=0.01)
        assert "100.00 EUR" in picture and ">Ann<" in picture
    assert chart.rows == tuple((edge["from"], edge["to"], edge["text"]) for edge in flow)


def test_money_that_flows_in_a_circle_is_refused():
    circle = [{"from": a, "to": b, "nano": "5", "text": "5"} for a, b in ("ab", "bc", "ca")]
    with pytest.raises(AppError) as caught:
        flow_chart(circle, "EUR")
    assert caught.value.code == "bad-report-data"


def test_the_loss_table_holds_means_of_its_blocks():
    losses = [random.Random(3).uniform(2, 8) for _ in range(1000)]
    chart = loss_chart(losses, 6.0, 4.0)
    assert len(chart.rows) <= 16
    first = losses[:5]  # 1000 steps in blocks of five
    assert chart.rows[0] == ("3", f"{sum(first) / 5:.3f}", f"{min(first):.3f}", f"{max(first):.3f}")


def test_the_shelf_has_a_spine_per_work_until_it_is_full():
    spines = re.findall('class="(spine|outlined)"', shelf_chart({"works": 20, "admitted": 17}).pictures[0])
    assert spines == ["spine"] * 17 + ["outlined"] * 3
    many = shelf_chart({"works": 1_000_000, "admitted": 999_999}).pictures[0]
    assert many.count("<rect") <= 362 and many.count('class="outlined"') == 1


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_inside(low, span):
    found = ticks(low, low + span)
    assert 2 <= len(found) <= 10
    slack = span * 1e-6 + abs(low) * 1e-12
    assert all(low - slack <= value <= low + span + slack for value in found)


def test_control_characters_do_not_reach_the_page():
    assert node("b", "a\x00\x1b\nb") == "<b>a\nb</b>"


def test_figures_as_text():
    assert [percent(share) for share in (0, 0.0004, 0.0312, 0.0999, 0.26, 1)] == [
        *("0%", "0.0%", "3.1%", "10%", "26%", "100%")
    ]
    assert [signed(value) for value in (0.1234, -0.5, None, float("nan"))] == [
        *("+0.123", "−0.500", "not defined", "not defined")
    ]


# --- data that is unusual or wrong ----------------------------------------------------------------------------


def unusual():
    one = sample()
    one["passages"] = one["passages"][2:3]  # nobody stands out, no overlap
    one["passages"][0] |= {"contributors": [], "works": [], "opposed": []}
    yield "one bare passage", one

    bare = sample()
    bare["corpus"] |= {"refused": [], "admitted": 243}
    bare["training"] |= {"losses": [], "uncaptured": []}
    bare["check"] |= {"pairs": [], "methods": [], "coverage": None, "lambda": 0.0, "beats_bm25": False}
    bare["money"] |= {"flow": [], "payees": [], "events": [], "split": []}
    bare["limits"] = []
    yield "nothing but passages", bare

    bad = sample()
    for pair in bad["check"]["pairs"]:
        pair["predicted"], pair["actual"] = -abs(pair["predicted"]), abs(pair["actual"])
    for method in bad["check"]["methods"]:
        method |= {"spearman": -0.4, "low": None, "high": None, "pearson": None, "slope": float("nan"), "top1": None}
    bad["verify"]["tampered_refused"] = False
    bad["training"]["losses"][10] = float("nan")
    yield "everything went wrong", bad

    still = sample()
    for pair in still["check"]["pairs"]:
        pair["predicted"] = pair["actual"] = 0.0
    still["training"]["losses"] = [still["training"]["heldout"]] * 3
    yield "nothing moved", still


@pytest.mark.parametrize(("name", "data"), list(unusual()), ids=[name for name, _ in unusual()])
def test_unusual_data_is_shown(name, data, tmp_path):
    html = render(data, tmp_path)
    page = Page(html)
    assert "has been kept in repair and the ships are at sea." in page.text
    for text in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        ET.fromstring(text)
        assert "nan" not in text
    if name == "nothing but passages":
        assert "not measured" in page.text and "none was refused" in page.text
        assert "limits" not in page.ids and "#limits" not in html
    if name == "everything went wrong":
        assert "−0.40" in page.text and "was not refused" in page.text


def leaves(contract, where=()):
    """Path of every key of the contract; 0 steps into the first item of a list."""
    if isinstance(contract, dict):
        for key, inner in contract.items():
            yield (*where, key)
            yield from leaves(inner, (*where, key))
    elif isinstance(contract, list):
        yield from leaves(contract[0], (*where, 0))


def spelled(path):
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)[1:]


@pytest.mark.parametrize("path", list(leaves(CONTRACT)), ids=spelled)
def test_a_missing_key_is_named(path):
    data = sample()
    holder = data
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    with pytest.raises(AppError) as caught:
        check_report_data(data)
    assert caught.value.code == "bad-report-data"
    assert f" {spelled(path)} is missing" in caught.value.message


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("corpus", "works"), "243", "corpus.works has the wrong kind"),
        (("corpus", "works"), True, "corpus.works has the wrong kind"),
        (("limits",), "none", "limits must be a list"),
        (("made",), None, "made must be an object"),
        (("passages",), [], "passages is empty"),
        (("passages", 0, "text"), "other words", "passages[0].segments do not add up"),
        (("passages", 0, "overlaps", 0, "end"), 10_000, "passages[0].overlaps[0] lies outside"),
        (("money", "flow", 0, "nano"), "1.5", "money.flow[0].nano is '1.5'"),
        (("money", "payees", 0, "statement"), "javascript:alert(1)", "money.payees[0].statement must be a path"),
        (("money", "payees", 0, "statement"), "//elsewhere.example/x", "money.payees[0].statement must be a path"),
    ],
)
def test_wrong_data_is_refused_and_nothing_is_written(path, value, says, tmp_path):
    data = sample()
    holder = data
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    with pytest.raises(AppError, match=re.escape(says)):
        write_report(data, tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_the_file_appears_whole(tmp_path):
    render(sample(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_what_was_not_measured_is_left_out(tmp_path):
    """Without a training beside the recorded one there is no cost of recording to show."""
    data = sample()
    data["training"] |= {"overhead_ratio": None, "identical_weights": None}
    data["made"] |= {"seconds": None}
    text = Page(render(data, tmp_path)).text
    assert "Cost of recording" in page_text(sample(), tmp_path) and "Cost of recording" not in text
    assert "bit for bit" not in text and "in None" not in text


def page_text(data, tmp_path):
    return Page(render(data, tmp_path)).text


def test_a_text_that_was_handed_in_is_called_that(tmp_path):
    data = sample()
    data["passages"][-1] |= {"kind": "given", "author": "", "title": "letter.txt"}
    text = page_text(data, tmp_path)
    assert "handed in to be asked about: “letter.txt”" in text
