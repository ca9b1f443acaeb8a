"""Saying no and saying yes: one form for both, of the same size and filled in alike; and what became of it."""

from dataclasses import dataclass
from typing import Any

from byline.app.home import Home
from byline.app.notice_steps import Step, change
from byline.app.notice_view import told
from byline.app.notices import about as about_target
from byline.app.notices import give, names, receipt_path
from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.visit import Answer, Download, Onward, Page, Visit
from byline.core import AppError, PartyId, RegistryError, WorkId, party_id
from byline.registry import (
    DEFAULT_USES,
    USES,
    Defaults,
    Dossier,
    Names,
    NoticeKind,
    Target,
    TargetKind,
    What,
    challenge,
    ordered_uses,
)
from byline.registry import read_target as read_any_target

WORDS = {
    "tdm": "mining text and data",
    "train.gen": "training models that write, draw or sing",
    "train.other": "training other models",
    "ground": "being looked up by a model while it answers",
    "index": "being indexed",
    "search": "being found by a search",
}


def add(doors: Doors) -> None:
    for path, kind in (("/no", NoticeKind.OPT_OUT), ("/claim", NoticeKind.CLAIM)):
        choice = Choice(kind, path)
        doors.page("GET", path, Role.CONTRIBUTOR)(choice.form)
        doors.page("POST", path, Role.CONTRIBUTOR)(choice.say)
    doors.page("GET", "/notices/{notice}", Role.CONTRIBUTOR, own=True)(show)
    doors.page("GET", "/notices/{notice}/receipt", Role.CONTRIBUTOR, own=True)(receipt)
    doors.page("POST", "/notices/{notice}/withdraw", Role.CONTRIBUTOR, own=True)(withdraw)


@dataclass(frozen=True)
class Choice:
    """One of the two forms."""

    kind: NoticeKind
    path: str

    def form(self, visit: Visit) -> Answer:
        of = visit.asked.get("of", "") or (visit.form.get("of") or [""])[0]
        return self._page(visit, _shown_target(visit.home, of[:500]))

    def _page(self, visit: Visit, of: str) -> Page:
        data = {
            "kind": self.kind.value,
            "action": self.path,
            "other": f"/{'claim' if self.path == '/no' else 'no'}?of=",
            "of": of,
            "by": visit.me.name,
            "uses": [(use.value, WORDS[use.value], use in DEFAULT_USES) for use in USES],
        }
        return Page("choice.html", "Say no" if self.kind is NoticeKind.OPT_OUT else "Say yes", data)

    def say(self, visit: Visit) -> Answer:
        home, day = visit.home, visit.now.date()
        with visit.at("of"):
            target = read_target(visit.field("of", 500), names(home, few=True))
        with visit.at("by"):
            by = visit.needed("by", "write your name: the receipt carries it", 200)
        with visit.at("uses"):
            uses = ordered_uses(list(visit.form.get("uses", ()))) or DEFAULT_USES
        with visit.at("reason"):
            reason = visit.field("reason", 500)
        visit.refuse_faults()
        given = Defaults(by, day, uses, contact=visit.me.email, reason=reason)
        visit.portal.accounts.call(visit.me.id, by)
        (taken,) = give(home, self.kind, [given.wish(target)], visit.now)
        notice, mine = taken.dossier.notice.id, visit.portal.accounts.notices(visit.me.id)
        if taken.new:
            visit.portal.accounts.keep_notice(visit.me.id, notice)
            visit.did(f"gave {self.kind}", notice)
        elif notice not in mine:  # somebody else of that name said it: their receipt is theirs
            return Page("said-before.html", "That was said before", {"kind": self.kind.value})
        return Onward(f"/notices/{notice}?new=yes")


def read_target(text: str, known: Names) -> Target:
    """What a visitor may name. Never a file: on a server that would be a path of the server's own.

    Raises: RegistryError("unknown-target"), and those of `registry.read_target`.
    """
    text = " ".join(text.split())
    head, colon, rest = text.partition(":")
    if text in known.ids or text in known.titles:
        return read_any_target(text, known)
    if party_id(text) in known.parties:
        return read_any_target(f"contributor:{text}", known)
    if colon and head.lower() in ("http", "https") and rest.startswith("//"):
        whole = text.rstrip("/")
        return read_any_target(f"domain:{whole}" if whole.count("/") == 2 else f"collection:{whole}", known)
    if colon and head.lower() in ("sha256", "iscc", "domain", "account", "collection", "contributor", "party"):
        return read_any_target(text, known)
    if "." in text and not set(" :/") & set(text):
        return read_any_target(f"domain:{text}", known)
    says = f"“{text[:80]}” is no title, contributor or web address that is known here"
    fix = "write the title as it is listed here, or the address of your site"
    raise RegistryError("unknown-target", says, fix)


def _shown_target(home: Home, of: str) -> str:
    """An id in a link, as the title or name that people know it by where that is enough to find it again."""
    if of in home.works:
        title = home.works[WorkId(of)].title
        return title if len(home.registry.works_titled(title)) == 1 else of
    party = PartyId(of.removeprefix("contributor:"))
    return f"contributor:{home.names[party]}" if party in home.names else of


def about(home: Home, target: Target) -> str:
    """What a notice is about, as people write it."""
    if target.kind is TargetKind.WORK:
        return f"“{home.works[WorkId(target.value)].title}”"
    told = about_target(home, target)
    return told.removeprefix("domain:").removeprefix("collection:") if told == str(target) else told


# --- what became of it ----------------------------------------------------------------------------------------


def show(visit: Visit) -> Answer:
    home, dossier = visit.home, mine(visit)
    found = told(home, dossier, visit.now.date(), home.reached().by(dossier.notice.target))
    data = {
        "notice": found,
        "about": about(home, dossier.notice.target),
        "words": WORDS,
        "titles": [(work, home.works[work].title) for work in found["works"][:20]],
        "similar": [(each["work"], home.works[each["work"]].title, each["bits"]) for each in found["similar"][:20]],
        "new": visit.asked.get("new") == "yes",
        "history": [each | {"says": HISTORY.get(each["what"], each["what"])} for each in found["history"]],
    }
    return Page("notice.html", "Your no" if found["kind"] == "opt-out" else "Your yes", data)


HISTORY = {
    "received": "We received it; the receipt was signed at once.",
    "verified": "It was checked who gave it.",
    "disputed": "Somebody else says otherwise; the no holds meanwhile.",
    "upheld": "It was decided in your favour.",
    "rejected": "It was rejected.",
    "extended": "The answer may take longer, as the law allows.",
    "withdrawn": "You took it back.",
    "forgotten": "The name was erased.",
}


def mine(visit: Visit) -> Dossier:
    """Raises: AppError("no-such-page") for one of somebody else as for one that there is not."""
    name = visit.named["notice"]
    if name not in visit.portal.accounts.notices(visit.me.id):
        raise AppError("no-such-page", "there is no such notice of yours", "your page lists them")
    return visit.home.notices.one(name)


def receipt(visit: Visit) -> Answer:
    path = receipt_path(visit.home, mine(visit).notice.id)
    if not path.is_file():
        raise AppError("no-such-page", "the receipt was erased", "nothing can be done")
    return Download(path.read_bytes(), path.name, "application/json")


def withdraw(visit: Visit) -> Answer:
    """Who is signed in has shown that the address is theirs, which is the challenge of a withdrawal."""
    dossier, home = mine(visit), visit.home
    papers = home.notices.papers(dossier.notice.id)
    if papers is None:
        raise AppError("no-such-page", "who gave it was erased", "write to whoever runs this portal")
    step = Step(What.WITHDRAWN, by=papers.by, shown=challenge(papers, "withdraw"))
    change(home, dossier.notice.id, step, visit.now)
    visit.did("withdrew", dossier.notice.id)
    return Onward(f"/notices/{dossier.notice.id}")


def states(visit: Visit) -> list[dict[str, Any]]:
    """The notices of whoever asks, newest first, for their own page."""
    home, day, found = visit.home, visit.now.date(), []
    for name in visit.portal.accounts.notices(visit.me.id):
        dossier = home.notices.one(name)
        found.append({"id": name, "kind": dossier.notice.kind.value, "about": about(home, dossier.notice.target),
                      "state": dossier.state(day), "at": dossier.notice.received})  # fmt: skip
    return sorted(found, key=lambda each: each["at"], reverse=True)
