"""A contributor's choice, published in every form that the web carries it: what the gate reads, written."""

from byline.disclosure.publish.carriers import Published
from byline.disclosure.publish.choice import SHORT, Choice, parse_choice
from byline.disclosure.publish.credential import c2pa_there, credential, sign_file
from byline.disclosure.publish.site import (
    LICENCE,
    POLICY,
    Site,
    policy_of,
    publish,
    read_back,
    signed_store,
    site_at,
    unsaid,
)
from byline.disclosure.publish.xmp import code_of, embed, new_packet, with_choice, xmp_packet

__all__ = [
    "LICENCE",
    "POLICY",
    "SHORT",
    "Choice",
    "Published",
    "Site",
    "c2pa_there",
    "code_of",
    "credential",
    "embed",
    "new_packet",
    "parse_choice",
    "policy_of",
    "publish",
    "read_back",
    "sign_file",
    "signed_store",
    "site_at",
    "unsaid",
    "with_choice",
    "xmp_packet",
]
