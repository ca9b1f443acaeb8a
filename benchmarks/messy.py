"""A real and messy corpus through the gate: what the works of a Debian machine are licensed under, and six verdicts.

    python benchmarks/messy.py [--doc /usr/share/doc] [--deb FILE.deb ...] [--out benchmarks/results/messy.json]

Two kinds of works. (1) Every `Files:` paragraph of every machine-readable copyright file (DEP-5) of the installed
packages: a set of files under one licence, written by hundreds of maintainers in their own spelling. (2) Every SVG
picture inside the .deb files that are named (`apt-get download openclipart-svg`): the licence and the author stand in
its RDF metadata. Licence names are turned into SPDX expressions where their meaning is beyond doubt; what is not stays
unknown, and unknown is never allowed. Copies of the same copyright file under several packages count once.

Judged twice. *As read*: the licence is all that is known. *Otherwise clean*: everything but licence and reservation is
assumed to be in order (made-up, as in benchmarks/decide.py), so that what the licences alone decide can be seen.
"""

import argparse
import io
import json
import os
import platform
import re
import subprocess
import tarfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from decide import SAME, USUALLY
from defusedxml.ElementTree import fromstring

from byline.gate.law import JURISDICTIONS, FactTable, judge_all, licence_facts, load_packs, vocabulary
from byline.gate.licence import licence_terms

ON = date(2026, 11, 22)
SHOWN = 15


@dataclass(frozen=True)
class Work:
    """`stated`: the licence in the source's own words. `spdx`: as an SPDX expression, "" if its meaning is not known.
    `fault`: what of it could not be read."""

    source: str
    stated: str
    spdx: str
    fault: str = ""


# --- Debian copyright files -------------------------------------------------------------------------------------


def debian_works(folder: Path) -> tuple[list[Work], Counter[str], int]:
    """Works, faults of whole files, and the number of distinct files."""
    works, faults, seen = [], Counter(), set()
    for path in sorted(folder.glob("*/copyright")):
        try:
            body = path.read_bytes()
        except OSError as fault:
            faults[f"cannot be opened: {fault.strerror}"] += 1
            continue
        if body in seen:
            continue
        seen.add(body)
        found, fault = copyright_works(path.parent.name, body)
        works += found
        if fault:
            faults[fault] += 1
    return works, faults, len(seen)


def copyright_works(package: str, body: bytes) -> tuple[list[Work], str]:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return [], "not UTF-8"
    paragraphs = list(deb822(text))
    if not paragraphs or "copyright-format" not in paragraphs[0].get("format", ""):
        return [], "not machine-readable (no Format field of DEP-5)"
    named = [paragraph for paragraph in paragraphs[1:] if "files" in paragraph]
    works = []
    for paragraph in named:
        stated = paragraph.get("license", "").partition("\n")[0].strip()
        spdx, fault = expression(stated)
        works.append(Work(f"{package}: {' '.join(paragraph['files'].split())[:80]}", stated, spdx, fault))
    return works, "" if named else "machine-readable, but without a Files paragraph"


def deb822(text):
    """Paragraphs of fields, names in lower case; a line that is neither field nor continuation is passed over."""
    fields, last = {}, ""
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            if fields:
                yield fields
            fields, last = {}, ""
        elif line[0] in " \t":
            if last:
                fields[last] += "\n" + line.strip()
        elif not line.startswith("#"):
            name, colon, value = line.partition(":")
            if colon and " " not in name:
                last = name.strip().lower()
                fields[last] = value.strip()


# --- licence names ----------------------------------------------------------------------------------------------

PLAIN = {
    "expat": "MIT", "mit/expat": "MIT", "mit-license": "MIT", "expat/mit": "MIT",
    "bsd-3-clause": "BSD-3-Clause", "bsd-2-clause": "BSD-2-Clause", "bsd-4-clause": "BSD-4-Clause",
    "bsd-3": "BSD-3-Clause", "bsd-2": "BSD-2-Clause", "bsd-4": "BSD-4-Clause", "bsd-1-clause": "BSD-1-Clause",
    "bsd-3-clauses": "BSD-3-Clause", "bsd-2-clauses": "BSD-2-Clause", "bsd3": "BSD-3-Clause", "bsd2": "BSD-2-Clause",
    "apache-2": "Apache-2.0", "apache2": "Apache-2.0", "asl-2.0": "Apache-2.0", "apache-2.0": "Apache-2.0",
    "zlib": "Zlib", "zlib/libpng": "Zlib", "isc": "ISC", "x11": "X11", "mit": "MIT", "0bsd": "0BSD", "ntp": "NTP",
    "cc0": "CC0-1.0", "cc-0": "CC0-1.0", "cc0-1.0": "CC0-1.0", "unlicense": "Unlicense", "wtfpl": "WTFPL",
    "public-domain": "LicenseRef-PublicDomain", "public_domain": "LicenseRef-PublicDomain",
    "pd": "LicenseRef-PublicDomain", "publicdomain": "LicenseRef-PublicDomain",
    "bsl-1.0": "BSL-1.0", "boost-1.0": "BSL-1.0", "curl": "curl", "ftl": "FTL", "postgresql": "PostgreSQL",
    "psf-2": "PSF-2.0", "psf": "PSF-2.0", "python": "PSF-2.0", "python-2.0": "Python-2.0", "w3c": "W3C",
    "mpl-2.0": "MPL-2.0", "mpl-2": "MPL-2.0", "mpl-1.1": "MPL-1.1", "ofl-1.1": "OFL-1.1", "openssl": "OpenSSL",
    "artistic-2.0": "Artistic-2.0", "artistic-2": "Artistic-2.0", "artistic": "Artistic-1.0-Perl",
    "artistic-1": "Artistic-1.0-Perl", "ruby": "Ruby", "ncsa": "NCSA", "hpnd": "HPND", "tcl": "TCL", "ijg": "IJG",
    "libpng": "libpng-2.0", "eupl-1.2": "EUPL-1.2", "lal-1.3": "LAL-1.3", "unicode": "Unicode-DFS-2016",
    "openldap-2.8": "OLDAP-2.8", "imagemagick": "ImageMagick", "fsfap": "FSFAP", "fsfullr": "FSFULLR",
    "gnu-all-permissive-license": "FSFAP", "libtiff": "libtiff",
    "all-rights-reserved": "LicenseRef-AllRightsReserved", "epl-2.0": "EPL-2.0", "afl-3.0": "AFL-3.0",
}  # fmt: skip
"""Debian's short names and usual spellings whose licence is beyond doubt. Not: BSD, permissive, other, none."""

_GNU = re.compile(
    r"(?P<kind>a|l)?gpl[-_ ]?v?(?P<version>\d(?:\.\d)?)?(?:\.0)?(?P<later>\+|[-_ ]?or[-_ ]later)?(?P<only>[-_ ]only)?"
)
_GFDL = re.compile(r"gfdl(?P<free>-niv)?-?(?P<version>1\.\d)?(?P<later>\+|-or-later)?(?P<free2>-no-invariants)?")
_CC = re.compile(r"cc-(by(?:-nc)?(?:-nd|-sa)?)-(\d)(?:\.(\d))?(?:-[a-z]{2,3}|-unported|-int(?:ernational)?)?")
_EXCEPTIONS = {
    "autoconf": "Autoconf-exception-3.0", "bison": "Bison-exception-2.2", "libtool": "Libtool-exception",
    "font": "Font-exception-2.0", "classpath": "Classpath-exception-2.0", "gcc": "GCC-exception-3.1",
    "llvm": "LLVM-exception", "linux-syscall-note": "Linux-syscall-note", "openssl": "x11vnc-openssl-exception",
}  # fmt: skip


def expression(stated: str) -> tuple[str, str]:
    """(SPDX expression, what could not be read). DEP-5: a comma binds loosest, then `and`, then `or`."""
    if not stated:
        return "", "no licence name"
    if len(stated.split()) > 14:
        return "", "a sentence in the place of a name"
    whole = stated.replace("_or_", " or ").replace("_and_", " and ").replace("|", " or ")
    parts = []
    for group in re.split(r",\s*(?:and\s+)?", whole):
        for word in re.split(r"(\s+(?:or|and)\s+)", group.strip(), flags=re.IGNORECASE):
            joint = word.strip().lower()
            if joint in ("or", "and"):
                parts.append(joint.upper())
            elif joint:
                name = spdx_name(joint)
                if not name:
                    return "", f"unknown name: {word.strip()[:60]}"
                parts.append(name)
        parts.append(",")
    return _joined(parts), ""


def _joined(parts: list[str]) -> str:
    groups = " ".join(parts).removesuffix(" ,").split(" , ")
    return groups[0] if len(groups) == 1 else " AND ".join(f"({group})" for group in groups)


def spdx_name(name: str) -> str:
    """Of one licence, with its exception; "" if the meaning is in doubt."""
    base, _, rest = name.strip("()").partition(" with ")
    if not rest:
        base, _, rest = name.strip("()").partition("-with-")
    found = PLAIN.get(base.strip()) or _gnu(base.strip()) or _gfdl(base.strip()) or _creative(base.strip())
    if not rest or not found:
        return found
    word = rest.removesuffix(" exception").removesuffix("-exception").replace("-macros", "").strip()
    exception = _EXCEPTIONS.get(word.partition(" ")[0]) or _EXCEPTIONS.get(word)
    return f"{found} WITH {exception}" if exception else ""


def _gnu(name: str) -> str:
    match = _GNU.fullmatch(name.removeprefix("gnu-"))
    if not match:
        return ""
    family = {"a": "AGPL", "l": "LGPL", None: "GPL"}[match["kind"]]
    if not match["version"]:  # DEP-5: without a version, any
        return {"AGPL": "AGPL-3.0-or-later", "LGPL": "LGPL-2.0-or-later", "GPL": "GPL-1.0-or-later"}[family]
    version = match["version"] if "." in match["version"] else f"{match['version']}.0"
    return f"{family}-{version}-{'or-later' if match['later'] else 'only'}"


def _gfdl(name: str) -> str:
    match = _GFDL.fullmatch(name)
    if not match or not match["version"]:
        return ""
    free = "-no-invariants" if match["free"] or match["free2"] else ""
    return f"GFDL-{match['version']}{free}-{'or-later' if match['later'] else 'only'}"


def _creative(name: str) -> str:
    match = _CC.fullmatch(name)
    return f"CC-{match[1].upper()}-{match[2]}.{match[3] or 0}" if match else ""


# --- pictures with RDF metadata ---------------------------------------------------------------------------------

URLS = {
    "web.resource.org/cc/publicdomain": "LicenseRef-PublicDomain",
    "creativecommons.org/licenses/publicdomain": "LicenseRef-PublicDomain",
    "creativecommons.org/publicdomain/zero/1.0": "CC0-1.0",
    "creativecommons.org/publicdomain/mark/1.0": "CC-PDM-1.0",
}
_RDF, _CC_NS = (
    "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}",
    ("http://web.resource.org/cc/", "http://creativecommons.org/ns#"),
)


def picture_works(deb: Path) -> list[Work]:
    """Every SVG file of a .deb."""
    unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], capture_output=True, check=True).stdout
    works = []
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith((".svg", ".svgz")):
                works.append(_picture(member.name, archive.extractfile(member).read()))
    return works


def _picture(name: str, body: bytes) -> Work:
    try:
        root = fromstring(body, forbid_dtd=False)
    except Exception as fault:  # expat and defusedxml answer damage with many kinds of exception
        return Work(name, "", "", f"not readable XML: {type(fault).__name__}")
    urls = [
        element.get(f"{_RDF}resource") or element.get(f"{_RDF}about") or (element.text or "").strip()
        for namespace in _CC_NS
        for element in root.iter(f"{{{namespace}}}license")
    ]
    urls = list(dict.fromkeys(url for url in urls if url))
    if not urls:
        return Work(name, "", "", "no licence in its metadata")
    named = {_by_url(url) for url in urls}
    if len(named) > 1:
        return Work(name, " ; ".join(urls), "", "two licences that differ")
    spdx = named.pop()
    return Work(name, urls[0], spdx, "" if spdx else f"unknown licence address: {urls[0][:60]}")


def _by_url(url: str) -> str:
    plain = re.sub(r"^https?://(www\.)?", "", url.strip().lower()).rstrip("/")
    known = re.match(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)", plain)
    return URLS.get(plain) or (f"CC-{known[1].upper()}-{known[2]}" if known else "")


# --- judging ----------------------------------------------------------------------------------------------------

USE = {"purpose": "commercial", "phase": "admit", "copied_in": frozenset({"EU"}), "placed_in": frozenset({"WORLD"})}


def rows(works: list[Work], clean: bool) -> list[dict]:
    rest = {k: v for k, v in {**SAME, **USUALLY}.items() if k != "reserved"} if clean else {}
    method = {"method": "public_dataset"}
    return [vocabulary().on_file({**rest, **USE, **method, **licence_facts(work.spdx)}) for work in works]


def judged(works: list[Work], clean: bool) -> dict:
    begun = time.perf_counter()
    table = FactTable.of(rows(works, clean))
    judgement = judge_all(table, load_packs(JURISDICTIONS), ON)
    return {
        "seconds": round(time.perf_counter() - begun, 2),
        "distinct_vectors": {j.pack.jurisdiction: len(j.rulings) for j in judgement.by_pack},
        "outcomes": {j.pack.jurisdiction: {str(k): n for k, n in j.counts().items()} for j in judgement.by_pack},
    }


def told(works: list[Work]) -> dict:
    unread = [work for work in works if work.fault]
    expressions = Counter(work.spdx for work in works if work.spdx)
    outside = Counter(spdx for spdx in expressions.elements() if licence_terms(spdx) is None)
    return {
        "works": len(works),
        "stated_spellings": len({work.stated for work in works}),
        "expressions": len(expressions),
        "not_read": len(unread),
        "not_read_why": dict(Counter(re.sub(r": .*", "", work.fault) for work in unread).most_common()),
        "unknown_names": dict(Counter(work.stated for work in unread if "unknown" in work.fault).most_common(SHOWN)),
        "read_but_not_in_table": dict(outside.most_common(SHOWN)),
        "not_in_table": sum(outside.values()),
        "most_common": dict(expressions.most_common(SHOWN)),
        "as_read": judged(works, clean=False),
        "otherwise_clean": judged(works, clean=True),
    }


def table(name: str, found: dict) -> str:
    """Markdown."""
    lines = [f"{name}: {found['works']:,} works", "", "| place | known | deny | review | allow with duties | allow |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for title, key in (("licence only", "as_read"), ("all else clean", "otherwise_clean")):
        for place, counts in found[key]["outcomes"].items():
            cells = [f"{counts.get(each, 0):,}" for each in ("deny", "review", "allow-with-duties", "allow")]
            lines.append(f"| {place} | {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--doc", type=Path, default=Path("/usr/share/doc"))
    parser.add_argument("--deb", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    begun = time.perf_counter()
    works, faults, files = debian_works(asked.doc)
    found = {"debian": {"files": files, "files_not_read": dict(faults.most_common())} | told(works)}
    pictures = [work for deb in asked.deb for work in picture_works(deb)]
    if pictures:
        found["pictures"] = {"files": [deb.name for deb in asked.deb]} | told(pictures)
    found |= {
        "on": ON.isoformat(),
        "seconds": round(time.perf_counter() - begun, 1),
        "load": round(os.getloadavg()[0], 1),
        "machine": f"{os.cpu_count()} x {platform.machine()}, Python {platform.python_version()}",
    }
    for name in ("debian", "pictures"):
        if name in found:
            print(table(name, found[name]), "\n")
    print(json.dumps(found, indent=1))
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
