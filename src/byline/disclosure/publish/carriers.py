"""One choice in the words of each carrier, and what a careful reader will read from it.

A carrier says only what it can say exactly: where its words would reach a use on which the contributor said something
else, it says less, or nothing. So nothing that is published permits more than was chosen.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from byline.disclosure.publish.choice import EVERY, MINE, TRAIN, Choice
from byline.gate.signals import Category, Reading

ALLOW, DENY, CONDITIONAL = Reading.ALLOW, Reading.DENY, Reading.CONDITIONAL


@dataclass(frozen=True, slots=True)
class Published:
    """What a carrier holds. `says`: the choice as far as it can say it. `cautious`: uses that a careful reader takes
    more strictly than was said. `why`: for people, what it cannot say and for what reason."""

    carrier: str
    file: str
    text: str
    says: Mapping[Category, Reading]
    cautious: Mapping[Category, Reading] = field(default_factory=dict)
    why: str = ""


def _why(choice: Choice, says: Mapping[Category, Reading], reason: str) -> str:
    left = [category.value for category in Category if category in choice.said and category not in says]
    return f"it cannot say {', '.join(left)}: {reason}" if left else ""


# --- TDMRep -----------------------------------------------------------------------------------------------------

_TDM_REASON = "a reservation is about all mining at once"


def tdm_words(choice: Choice) -> tuple[str, dict[Category, Reading]]:
    """The value of tdm-reservation, "" if the choice is not one for all mining; and what it says."""
    reading = choice.same(MINE)
    value = {DENY: "1", CONDITIONAL: "1", ALLOW: "0"}.get(reading, "") if reading else ""
    return value, dict.fromkeys(MINE, reading) if value and reading else {}


def tdmrep_json(choice: Choice, location: str, policy: str) -> Published:
    """/.well-known/tdmrep.json. Source: TDMRep, CG report of 10 May 2024, section on the file on the server."""
    value, says = tdm_words(choice)
    rule: dict[str, str | int] = {"location": location, "tdm-reservation": int(value)} if value else {}
    if value and choice.same(MINE) is CONDITIONAL:
        rule["tdm-policy"] = policy
    text = json.dumps([rule], indent=1) + "\n" if value else ""
    return Published("tdmrep.json", ".well-known/tdmrep.json", text, says, why=_why(choice, says, _TDM_REASON))


def tdm_policy(choice: Choice, policy: str, holder: str) -> str:
    """The offer behind a reservation, as an ODRL policy in the profile of TDMRep; "" unless mining is on terms."""
    if choice.same(MINE) is not CONDITIONAL:
        return ""
    told = {
        "@context": ["http://www.w3.org/ns/odrl.jsonld", "http://www.w3.org/ns/tdmrep.jsonld"],
        "@type": "Offer",
        "profile": "http://www.w3.org/ns/tdmrep",
        "uid": policy,
        "assigner": {"vcard:fn": holder, "vcard:hasURL": choice.terms},
        "permission": [{"action": "tdm:mine", "duty": [{"action": "obtainConsent"}]}],
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


# --- AIPREF -----------------------------------------------------------------------------------------------------

_AIPREF_REASON = "AIPREF knows training of generative models and search, and knows no terms"


def aipref_words(choice: Choice) -> tuple[str, dict[Category, Reading], dict[Category, Reading]]:
    """The value of Content-Usage, what it says, and what a careful reader takes from it for other training.

    Source: draft-ietf-aipref-vocab-07.
    """
    keys = {Category.TRAIN_GEN: "train-ai", Category.SEARCH: "search"}
    says = {category: choice[category] for category in keys if choice[category] in (ALLOW, DENY)}
    value = ", ".join(f"{keys[category]}={'y' if reading is ALLOW else 'n'}" for category, reading in says.items())
    cautious = {Category.TRAIN_OTHER: CONDITIONAL} if says.get(Category.TRAIN_GEN) is DENY else {}
    return value, says, cautious


def robots_txt(choice: Choice, path: str, licence: str) -> Published:
    """Lines for robots.txt: Content-Usage in the group for all, and the address of the RSL licence if there is one."""
    value, says, cautious = aipref_words(choice)
    lines = ["# Lines to add to the robots.txt of the site", "User-agent: *", "Allow: /"]
    lines += [f"Content-Usage: {path + ' ' if path != '/' else ''}{value}"] if value else []
    lines += [f"License: {licence}"] if licence else []
    text = "\n".join(lines) + "\n" if value or licence else ""
    return Published("robots.txt", "robots.txt", text, says, cautious, _why(choice, says, _AIPREF_REASON))


def headers(choice: Choice, policy: str, licence: str) -> Published:
    """Headers to send with every asset: tdm-reservation, tdm-policy, Content-Usage, Link to the RSL licence."""
    usage, says, cautious = aipref_words(choice)
    value, mined = tdm_words(choice)
    lines = ["HTTP/1.1 200 OK"]
    lines += [f"tdm-reservation: {value}"] if value else []
    lines += [f"tdm-policy: {policy}"] if value and choice.same(MINE) is CONDITIONAL else []
    lines += [f"Content-Usage: {usage}"] if usage else []
    lines += [f'Link: <{licence}>; rel="license"; type="application/rsl+xml"'] if licence else []
    text = "\r\n".join([*lines, "", ""]) if len(lines) > 1 else ""
    both = says | mined
    left = {} if Category.TRAIN_OTHER in mined else cautious
    why = _why(choice, both, "the headers know mining as a whole, training of generative models, and search")
    return Published("http-header", "choice.headers", text, both, left, why)


# --- RSL --------------------------------------------------------------------------------------------------------

RSL = "https://rslstandard.org/rsl"
_USAGES = {
    "ai-train": TRAIN,
    "ai-input": (Category.GROUND,),
    "ai-index": (Category.INDEX,),
    "search": (Category.SEARCH,),
}
_RSL_REASON = "RSL has one word for all training, and none for mining alone"


def rsl_xml(choice: Choice, url: str) -> Published:
    """An RSL 1.0 document about `url`: what is free in one licence, what has terms in another; a no stands in both.

    Source: RSL 1.0, permits, prohibits and payment.
    """
    usages = {"all": EVERY} if choice.same(EVERY) not in (None, Reading.UNKNOWN) else _USAGES
    by: dict[Reading, list[str]] = {ALLOW: [], DENY: [], CONDITIONAL: []}
    says: dict[Category, Reading] = {}
    for word, categories in usages.items():
        reading = choice.same(categories)
        if reading in by and reading is not None:
            by[reading].append(word)
            says |= dict.fromkeys(categories, reading)
    no = f'<prohibits type="usage">{" ".join(by[DENY])}</prohibits>' if by[DENY] else ""
    licences = [_rsl_licence(no, by[ALLOW], '<payment type="free"/>')] if by[ALLOW] else []
    paid = f'<payment type="use"><custom>{escape(choice.terms)}</custom></payment>'
    licences += [_rsl_licence(no, by[CONDITIONAL], paid)] if by[CONDITIONAL] else []
    licences += [f"   <license>{no}</license>"] if no and not licences else []
    lines = [f'<rsl xmlns="{RSL}">', f" <content url={quoteattr(url)}>", *licences, " </content>", "</rsl>"]
    text = "\n".join(lines) + "\n" if licences else ""
    return Published("rsl", "license.rsl", text, says, why=_why(choice, says, _RSL_REASON))


def _rsl_licence(no: str, words: list[str], payment: str) -> str:
    return f'   <license><permits type="usage">{" ".join(words)}</permits>{no}{payment}</license>'


# --- CAWG -------------------------------------------------------------------------------------------------------

_ENTRIES = {
    Category.TDM: "cawg.data_mining",
    Category.GROUND: "cawg.ai_inference",
    Category.TRAIN_OTHER: "cawg.ai_training",
    Category.TRAIN_GEN: "cawg.ai_generative_training",
}
_CAWG_REASON = "the assertion knows mining, input to models, and training"


def cawg_assertion(choice: Choice) -> Published:
    """The training-and-data-mining assertion 1.1. A yes in it counts only when a trusted signer has signed it."""
    entries: dict[str, dict[str, str]] = {}
    for category, name in _ENTRIES.items():
        reading = choice[category]
        if reading is CONDITIONAL:
            entries[name] = {"use": "constrained", "constraint_info": choice.terms}
        elif reading in (ALLOW, DENY):
            entries[name] = {"use": "allowed" if reading is ALLOW else "notAllowed"}
    told = {"label": "cawg.training-mining", "data": {"entries": entries}}
    text = json.dumps(told, indent=1, ensure_ascii=False) + "\n" if entries else ""
    says = {category: choice[category] for category in _ENTRIES if category in choice.said}
    why = _why(choice, says, _CAWG_REASON)
    return Published("c2pa", "cawg-training-mining.json", text, says, why=why)
