"""`byline lookup`, `byline guard` and `byline index`: was this in it, and does that output copy?"""

import sys
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.markup import escape

from byline.app.home import Home
from byline.app.media_words import recall_lines
from byline.app.terminal import HOME, DatabaseOption, HomeOption, JsonOption, bars, err, out, say
from byline.core import AppError
from byline.registry import MEDIA, content_kind

Told = dict[str, Any]
MOST_PIXELS, MOST_SECONDS = 170_000_000, 3600  # that are read of one's own file
SHOWN = 400  # characters of a quotation
LEAST = 8  # words of a text that can be answered
STARTS = ("/", "./", "../", "~/")
ENDINGS = tuple(
    ".txt .md .png .jpg .jpeg .gif .webp .avif .tif .tiff .bmp .svg .wav .flac .ogg .opus .mp3 .m4a .aiff".split()
)


def lookup_command(
    query: Annotated[str, typer.Argument(help="A text, a file with text, picture or sound, or - for standard input.")],
    against: Annotated[
        Path | None, typer.Option(help="Folder of pictures or sounds to search instead of the project's works.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every passage, not only the most telling ones.")] = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a text, picture or sound stands in the works that may train, where, and how sure a "no" is."""
    kind, content = read_query(query)
    if kind == "text":
        if against:
            raise AppError("not-searchable", "texts are searched in the project's works", "leave --against out")
        _lookup_text(Home.open(home, database), content.decode("utf-8"), everything, as_json)
        return
    if against is None:
        told = _lookup_media(Home.open(home, database), kind, content, query)
        say(as_json, told, told["says"])
        return
    from byline.app.lookup_media import look_up_media

    told = look_up_media(kind, Path(query), content, against)
    if not as_json:
        for match in told["matches"]:
            out.print(f"  [yellow]found[/] {escape(match['says'])}", highlight=False, soft_wrap=True)
    say(as_json, told, told["says"])


def index_command(
    again: Annotated[
        bool, typer.Option("--again", help="Build everything anew; removed works leave the disk.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Compare every file with its digest.")] = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the index of the works up to date, as look-up and guard do before they answer."""
    place = Home.open(home, database)
    library = _library(place)
    told = _updated(library, again)
    media = _media(place, again, MEDIA)
    told |= {"pictures": media.told["image"], "sounds": media.told["audio"]}
    checked = library.corpus.problems() + library.opted_out.problems() + media.index.problems() if check else []
    told["problems"] = [problem.to_json() for problem in checked]
    for problem in told["problems"]:
        err.print(f"[red]{escape(str(problem))}[/]", highlight=False, soft_wrap=True)
    works = told["works"]
    say(
        as_json,
        told,
        f"{works['works']:,} works with {works['words']:,} words can be searched ({works['bytes'] / 1e6:,.1f} MB); "
        f"{works['added']:,} added, {works['struck_off']:,} struck off; beside them, for the guard, "
        f"{told['opted_out']['works']:,} works whose contributors said no." + _media_sentence(told),
    )
    if told["problems"]:
        raise typer.Exit(1)


def guard_command(
    file: Annotated[Path, typer.Argument(help="An output as text, or - to pass standard input on while it is read.")],
    policy: Annotated[Path | None, typer.Option(help="Limits (JSON); default: the project's guard.json.")] = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold an output against the works: how long it copies, how much, how nearly. Exit code 1 if it is blocked."""
    from byline.app.lookup import guard_of, named, policy_of
    from byline.lookup import read_policy

    library = _library(Home.open(home, database))
    limits = read_policy(policy) if policy else policy_of(library.home)
    _updated(library)
    stream = guard_of(library, limits).stream()
    shown = sys.stdout if str(file) == "-" and not as_json else None
    for fragment in _fragments(file):
        released = stream.push(fragment)
        if shown:
            shown.write(released)
            shown.flush()
    report = stream.close()
    if shown:
        shown.write(stream.rest + "\n")
        shown.flush()
    told = named(library, report.to_json())
    if as_json:
        say(True, told, "")
    else:
        (err if shown else out).print(escape(guard_sentence(told)), highlight=False, soft_wrap=True)
    if told["action"] == "block":
        raise typer.Exit(1)


COMMANDS: tuple[Callable[..., None], ...] = (lookup_command, guard_command, index_command)


# --- reading ----------------------------------------------------------------------------------------------------


def read_query(query: str) -> tuple[str, bytes]:
    """(text, image or audio; the bytes). What the content says counts, not the file's name.

    Raises: AppError("not-text"), AppError("no-file"), OSError.
    """
    if query == "-":
        content = sys.stdin.buffer.read()
    elif _is_file(query):
        content = Path(query).read_bytes()
    elif _names_a_file(query):
        raise AppError(
            "no-file", f"there is no file {query}", "check the path; a text is given as eight words and more"
        )
    else:
        return "text", query.encode("utf-8", "replace")
    kind = content_kind(content)
    if not kind:
        says = f"{query} is no picture or sound that is known here, and no UTF-8 text"
        raise AppError("not-text", says, "save it as PNG, WAV or UTF-8 text")
    return kind, content


def _is_file(query: str) -> bool:
    try:
        return Path(query).is_file()
    except (OSError, ValueError):  # a text too long to be a path, or with characters that no path has
        return False


def _names_a_file(query: str) -> bool:
    """Too short to be asked for as a text, and written as paths are, or with the ending of a text, picture or sound."""
    if len(query.split()) >= LEAST or "\n" in query:
        return False
    return query.startswith(STARTS) or query.lower().endswith(ENDINGS) or ("/" in query and not set(query) & set(" \t"))


def _fragments(file: Path) -> Any:
    """The text as it comes. Raises: AppError("no-file"), AppError("not-text")."""
    try:
        if str(file) == "-":
            while read := sys.stdin.buffer.readline(4096):
                yield read.decode("utf-8")
        else:
            yield file.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        raise AppError("not-text", f"{file} is not UTF-8: byte {fault.start}", "save the file as UTF-8") from fault
    except OSError as fault:
        raise AppError("no-file", f"{file}: {fault.strerror}", "check the path") from fault


def _library(home: Home) -> Any:
    from byline.app.lookup import Library

    return Library(home, date.today())


def _updated(library: Any, again: bool = False) -> Told:
    with bars() as progress:
        total = max(1, len(library.wanted()[0]))
        told: Told = library.update(again, lambda count: progress("indexing the works", count, total))
    return told


class _Media(NamedTuple):
    index: Any
    told: Told


def _media(home: Home, again: bool, kinds: Iterable[str]) -> _Media:
    """The index of pictures or sounds, brought up to date with a bar."""
    from byline.app.lookup_media import MediaLibrary

    index = MediaLibrary(home, date.today())
    with bars() as progress:
        return _Media(index, index.update(again, progress, kinds))


def _media_sentence(told: Told) -> str:
    parts = []
    for kind in ("pictures", "sounds"):
        of = told[kind]
        if of["works"]:
            unread = f", {of['unread']:,} of which could not be read" if of["unread"] else ""
            parts.append(f" {of['works']:,} {kind} ({of['bytes'] / 1e6:,.1f} MB); {of['added']:,} added{unread}.")
            parts += _embedded_sentence(of) if kind == "pictures" else []
    return "".join(parts)


def _embedded_sentence(told: Told) -> list[str]:
    if told["embedded"] is None:
        says = " They are searched without the embedder, which is optional and finds more among thousands: "
        return [says + "pip install 'byline[embedder]'."]
    return [f" The embedder knows {told['embedded']:,} of these files."]


def _lookup_media(home: Home, kind: str, content: bytes, name: str) -> Told:
    told: Told = _media(home, False, [kind]).index.look_up(kind, content, name, MOST_PIXELS, MOST_SECONDS)
    return told


# --- answers ----------------------------------------------------------------------------------------------------


def _lookup_text(home: Home, text: str, everything: bool, as_json: bool) -> None:
    from byline.app.lookup import look_up_text

    library = _library(home)
    _updated(library)
    told = look_up_text(library, text, everything)
    say(as_json, told, "\n".join(lines_of(told)))


def lines_of(told: Told) -> list[str]:
    """The answer in plain words, the most important first."""
    lines = [_verdict(told)]
    for passage in told["verbatim"]:
        lines += _passage(passage)
    for match in told["near"]:
        lines += _near(match)
    if told["kept_out"]:
        lines.append(_kept_out(told))
    return [*lines, _scope(told["scope"]), *_measured(told)]


def _verdict(told: Told) -> str:
    if told["verdict"] == "too-short":
        return f"No answer: {told['words']} words are too few; so short a run stands in many works. Give 8 or more."
    if told["verdict"] == "not-found":
        return "Not found. That is no proof that it was not in them: see below what this search finds and misses."
    if told["verdict"] == "resembles":
        return "Not word for word, but a work has a passage much like it."
    if told["verdict"] == "phrases":
        return "Only short runs of words are shared, which may be phrases that everybody uses:"
    names = " and ".join(f"“{work['title']}” by {work['contributor']}" for work in told["works"][:2])
    more = f" and {len(told['works']) - 2} more works" if len(told["works"]) > 2 else ""
    of = f"{told['covered_words']} of its {told['words']} words"
    return f"Found word for word: {of} stand in {names}{more}."


def _passage(passage: Told) -> list[str]:
    place = passage["places"][0]
    others = passage["works"] - 1
    also = "" if not others else f"; also in {others} other work{'s' if others > 1 else ''}"
    lines = [
        f"  {passage['words']} words in a row in “{place['title']}” by {place['contributor']}, "
        f"characters {place['start']:,} to {place['end']:,}{also}:",
        f"    {_quote(place['quote'])}",
    ]
    return [*lines, f"    {_read_by(place)}"]


def _near(match: Told) -> list[str]:
    place = match["place"]
    return [
        f"  {match['same_words']} of {match['words']} words, in the same order, in “{place['title']}” by "
        f"{place['contributor']}, characters {place['start']:,} to {place['end']:,}:",
        f"    {_quote(place['quote'])}",
        f"    {_read_by(place)}",
    ]


def _read_by(place: Told) -> str:
    if not place["read_by"]:
        return "No training in this project read this passage."
    parts = [f"“{each['training']}” read {each['part_ppm'] / 1e4:.0f} % of it" for each in place["read_by"]]
    return f"Training {', '.join(parts)}."


def _kept_out(told: Told) -> str:
    place = told["kept_out"][0]["places"][0]
    words = told["kept_out"][0]["words"]
    return f"{words} words of it stand in “{place['title']}” by {place['contributor']}, who has said no to training."


def _scope(scope: Told) -> str:
    names = ", ".join(name.removeprefix("manifest:") for name in scope["manifests"])
    of = "manifest" if len(scope["manifests"]) == 1 else "manifests"
    searched = f"{scope['works']:,} works ({scope['words']:,} words), all of {of} {names}"
    return f"Searched: {searched}. Not searched: works of other projects, and what a base model had read before."


def _measured(told: Told) -> list[str]:
    if told["verdict"] in ("found", "resembles"):
        return []
    return recall_lines(told["measured"])


def _quote(text: str) -> str:
    plain = " ".join(text.split())
    return f"“{plain}”" if len(plain) <= SHOWN else f"“{plain[: SHOWN // 2]} … {plain[-SHOWN // 2 :]}”"


def guard_sentence(report: Told) -> str:
    names = {work["work"]: f"“{work['title']}” by {work['contributor']}" for work in report["named"]}
    said = {"pass": "Passed", "flag": "Flagged", "block": "Blocked"}[report["action"]]
    lines = [f"{said}: {report['words']} words under policy “{report['policy']}”."]
    for reason in report["reasons"]:
        lines.append(f"  {_reason(reason)} (at word {reason['at_word']}: {reason['action']})")
    for kind, of in (("works", "works"), ("opted_out", "works whose contributors said no")):
        found = report[kind]
        if found["longest"]:
            place = found["longest"]["places"][0]["work"]
            lines.append(
                f"  Longest run in {of}: {found['longest']['words']} words of {names[place]}; "
                f"{found['covered_ppm'] / 1e4:.0f} % of the output stands in such runs."
            )
    return "\n".join(lines)


def _reason(reason: Told) -> str:
    whose = "a work whose contributor said no" if reason["of"] == "opted_out" else "a work"
    if reason["limit"] == "run_words":
        return f"{reason['measured']} words in a row of {whose}"
    if reason["limit"] == "covered_ppm":
        return f"{reason['measured'] / 1e4:.0f} % of the words so far in runs of {whose}"
    return f"a passage {reason['measured'] / 1e4:.0f} % like one of {whose}"
