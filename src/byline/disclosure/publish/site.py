"""Everything that says a choice for one site, and the proof that our own readers read it as it was meant."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from byline.core import DisclosureError
from byline.disclosure.publish.carriers import (
    Published,
    cawg_assertion,
    headers,
    robots_txt,
    rsl_xml,
    tdm_policy,
    tdmrep_json,
)
from byline.disclosure.publish.choice import Choice
from byline.disclosure.publish.xmp import xmp_packet
from byline.gate.signals import (
    Category,
    Findings,
    Inference,
    Observation,
    Reading,
    Target,
    read_headers,
    read_manifest_store,
    read_robots,
    read_rsl,
    read_tdmrep_json,
    read_xmp,
    resolve,
)

POLICY, LICENCE = "tdm-policy.json", "license.rsl"
PROBE = "byline-probe"  # name of a file that is asked about to check what was written


@dataclass(frozen=True, slots=True)
class Site:
    """Where the choice will stand. address: of the site, such as https://ada.example; "" if it is not known, and then
    nothing links to the licence. path: begins with a slash; what lies below it is meant. holder: who chooses."""

    address: str
    path: str
    holder: str

    @property
    def policy(self) -> str:
        return f"{self.address}/{POLICY}" if self.address else f"/{POLICY}"

    @property
    def licence(self) -> str:
        return f"{self.address}/{LICENCE}" if self.address else ""


def site_at(address: str, path: str, holder: str) -> Site:
    """Raises: DisclosureError("bad-place")."""
    if address and ("://" not in address or any(mark in address for mark in " <>\"'\r\n")):
        raise DisclosureError("bad-place", f"{address!r} is no address of a site", "--site https://ada.example")
    if not path.startswith("/") or any(mark.isspace() or mark in '#<>"*$' for mark in path):
        raise DisclosureError("bad-place", f"{path!r} is no path", "begin it with a slash: --path /art/")
    return Site(address.rstrip("/"), path, holder)


def publish(choice: Choice, site: Site) -> tuple[Published, ...]:
    """One entry per carrier; the text of a carrier that can say nothing of the choice is empty."""
    rsl = rsl_xml(choice, site.path + "*" if site.path.endswith("/") else site.path)
    licence = site.licence if rsl.text else ""
    return (
        tdmrep_json(choice, site.path, site.policy),
        robots_txt(choice, site.path, licence),
        headers(choice, site.policy, licence),
        rsl,
        xmp_packet(choice),
        cawg_assertion(choice),
    )


def policy_of(choice: Choice, site: Site) -> str:
    """Text of the policy that tdmrep.json and the headers point at; "" unless mining is on terms."""
    return tdm_policy(choice, site.policy, site.holder)


def unsaid(choice: Choice, published: Iterable[Published]) -> list[Category]:
    """Uses on which something was chosen and no carrier says it."""
    said = {category for each in published for category in each.says}
    return [category for category in Category if category in choice.said and category not in said]


# --- reading it back ----------------------------------------------------------------------------------------------


def read_back(each: Published, choice: Choice, site: Site) -> dict[Category, Reading]:
    """What our own reader of that carrier reads, without links to the licence, which is read for itself.

    Raises: DisclosureError("published-misread") if it is not exactly what the carrier was meant to say.
    """
    found = _read(each, choice, site)
    about = [seen for seen in found.observations if not _links(seen)]
    read = {each.category: each.reading for each in resolve(about, found.problems)}
    said = dict(each.cautious) | dict(each.says)
    meant = {category: said.get(category, Reading.UNKNOWN) for category in Category}
    if read != meant or found.problems:
        differing = ", ".join(f"{c}: {read[c]} for {meant[c]}" for c in Category if read[c] != meant[c])
        says = f"{each.carrier} is read otherwise than it was meant: {differing or found.problems}"
        fix = "leave unusual characters out of names and addresses; nothing was written"
        raise DisclosureError("published-misread", says, fix)
    return read


def _links(seen: Observation) -> bool:
    return seen.family == "rsl" and seen.carrier != "rsl"


def _read(each: Published, choice: Choice, site: Site) -> Findings:
    target = Target(each.file, datetime(2026, 1, 1, tzinfo=UTC), path=site.path + PROBE)
    body = each.text.encode("utf-8")
    policies = {site.policy: policy_of(choice, site).encode("utf-8")}
    if not body:
        return Findings()
    if each.carrier == "http-header":
        lines = [line.partition(":") for line in each.text.split("\r\n")[1:] if line]
        return read_headers([(name, value) for name, _, value in lines], target, policies=policies)
    if each.carrier == "c2pa":
        return read_manifest_store(signed_store(each.text), target)
    if each.carrier == "tdmrep.json":
        return read_tdmrep_json(body, target, policies)
    if each.carrier == "robots.txt":
        return read_robots(body, target, inference=Inference.OFF)
    return read_rsl(body, target) if each.carrier == "rsl" else read_xmp(body, target)


def signed_store(assertion: str) -> bytes:
    """The assertion as it would stand in a manifest of a trusted signer; only so does a yes in it count."""
    manifest = {"assertions": [json.loads(assertion)], "signature_info": {"issuer": "a trusted signer"}}
    store = {"active_manifest": "m", "manifests": {"m": manifest}, "validation_state": "Trusted"}
    return json.dumps(store).encode("utf-8")
