"""A form with a fault comes back as it was filled in, with the fault beside its field."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from byline.app.portal.refill import Sent, Told, refilled

PAGE = """<!DOCTYPE html><html><head><title>Give · Byline</title></head><body><main id="main" tabindex="-1">
<h1>Give &amp; take &#8211; two</h1><!-- a note --><p>Between<br>lines</p>
<form action="/other" method="post"><input name="name" id="o" value="theirs"></form>
<form action="/give/work:1" method="post"><input type="hidden" name="token" value="new"><input type="hidden" name="on"
value="x"><label for="n">Name</label><input id="n" name="name" aria-describedby="n-hint" value="old">
<span id="n-hint">A name</span><textarea id="t" name="text">before</textarea>
<select id="s" name="kind"><option>one</option><option selected>two &amp; a half</option></select>
<select id="v" name="way"><option value="">-</option><option value="a">A</option></select>
<fieldset><legend>Uses</legend><div class="choice"><input type="checkbox" id="a" name="uses" value="a" checked></div>
<div class="choice"><input type="checkbox" id="b" name="uses" value="b"></div></fieldset>
<div class="choice"><input type="radio" id="r" name="sure" value="yes"></div><input type="file" id="f" name="file">
</form></main></body></html>"""


class Read(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self._open = [], {}, None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = (tag, dict(attrs)) if tag in ("textarea", "option", "title", "p") else self._open

    def handle_data(self, data):
        if self._open:
            key = self._open[1].get("id") or self._open[0]
            self.texts[key] = self.texts.get(key, "") + data

    def handle_endtag(self, tag):
        self._open = None if self._open and tag == self._open[0] else self._open

    def one(self, **asked):
        asked = {name.rstrip("_"): value for name, value in asked.items()}
        (found,) = [known for _, known in self.tags if asked.items() <= known.items()]
        return found


def read(values, *faults, file=False, action="/give/work:1"):
    return Read(refilled(PAGE, Sent(action, values, file), [Told(*each) for each in faults]))


def test_every_kind_of_field_is_filled_in_again():
    page = read({"token": ["evil"], "on": ["y"], "name": ["Ada"], "text": ["a\nb"], "kind": ["two & a half"],
                 "way": ["a"], "uses": ["b"], "sure": ["yes"]})  # fmt: skip
    assert page.one(id="n")["value"] == "Ada" and page.one(id="o")["value"] == "theirs"
    assert page.one(name="token")["value"] == "new" and page.one(name="on")["value"] == "y"
    assert page.texts["t"].removeprefix("\n") == "a\nb"
    ticked = {known["id"] for tag, known in page.tags if tag == "input" and "checked" in known}
    assert ticked == {"b", "r"}
    chosen = [known for tag, known in page.tags if tag == "option" and "selected" in known]
    assert len(chosen) == 2 and chosen[1] == {"value": "a", "selected": None}


def test_what_was_not_chosen_is_not_chosen():
    page = read({"kind": ["one"], "name": [""]})
    assert [known for tag, known in page.tags if "checked" in known] == []
    assert page.one(id="n")["value"] == ""


def test_a_fault_stands_beside_its_field_which_has_the_focus():
    page = read({"name": [""], "text": ["x"]}, ("text", "Too <b>long</b>."), ("name", "Write one."))
    name, text = page.one(id="n"), page.one(id="t")
    assert name["aria-describedby"] == "n-fault n-hint" and name["aria-invalid"] == "true" and "autofocus" in name
    assert page.texts["n-fault"] == "Write one." and page.texts["t-fault"] == "Too <b>long</b>."
    assert "autofocus" not in text and text["aria-describedby"] == "t-fault"
    assert {known.get("href") for tag, known in page.tags if tag == "a"} == {"#n", "#t"}
    assert page.texts["title"].startswith("Please mend: ")


def test_a_fault_of_boxes_stands_under_their_legend_and_is_told_once():
    page = read({}, ("uses", "Choose one."), ("sure", "Tick it."))
    fieldset = next(known for tag, known in page.tags if tag == "fieldset")
    assert fieldset["aria-describedby"] == "a-fault" and page.texts["a-fault"] == "Choose one."
    assert page.one(id="r")["aria-describedby"] == "r-fault" and page.texts["r-fault"] == "Tick it."
    assert len([known for _, known in page.tags if known.get("id") == "a-fault"]) == 1


def test_a_fault_of_the_whole_form_stands_at_the_head_with_the_focus():
    page = read({"name": ["Ada"]}, ("", "It ended."), file=True)
    head = page.one(class_="faults")
    assert head["role"] == "alert" and "autofocus" in head
    text = refilled(PAGE, Sent("/give/work:1", {}, True), [Told("", "It ended.")])
    assert "Choose the file once more" in text


def test_without_faults_and_values_nothing_but_the_head_changes():
    text = refilled(PAGE, Sent("/none", {}, False), [])
    head = text[text.index('\n<div class="faults"') : text.index("</div>", text.index("faults")) + 6]
    assert text.replace(head, "").replace("Please mend: ", "") == PAGE


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40), st.text(max_size=20))
def test_nothing_that_is_sent_becomes_markup(value, says):
    before = [tag for tag, _ in read({}, ("name", "x")).tags]
    page = read({"name": [value], "text": [value], "on": [value]}, ("name", says))
    assert [tag for tag, _ in page.tags] == before
    assert page.one(id="n")["value"] == value and page.texts["t"].removeprefix("\n") == value


FOLDED = """<html><body><main><details id="other"><form action="/x" method="post"><input name="a"></form></details>
<details id="around"><form action="/give" method="post"><input name="a" value="1">
<details id="far"><input name="b"></details><details id="near"><details id="inner"><input name="c"></details></details>
</form></details></main></body></html>"""


def test_what_is_folded_away_around_a_fault_is_opened():
    page = Read(refilled(FOLDED, Sent("/give", {"a": ["1"], "c": ["x"]}, False), [Told("c", "no")]))
    opened = {known["id"] for tag, known in page.tags if tag == "details" and "open" in known}
    assert opened == {"around", "near", "inner"}
    assert [tag for tag, _ in page.tags].count("details") == 5
