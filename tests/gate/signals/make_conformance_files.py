"""Makes the binary files of the conformance corpus with libraries that are not ours: Pillow, pypdf, c2pa-python.

    python tests/gate/signals/make_conformance_files.py

Run it only to add files: signatures carry their time, so every run gives other bytes.
"""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import c2pa
import pypdf
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import byline.gate.signals.conformance as conformance

FILES = Path(conformance.__file__).parent / "files"
PLUS = "http://ns.useplus.org/ldf/vocab/"


def packet(description):
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'{description}</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def plus(code):
    return packet(
        f'<rdf:Description rdf:about="" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"'
        f' plus:DataMining="{PLUS}{code}"/>'
    )


def tdm(value, policy=""):
    policy = f"<tdm:policy>{policy}</tdm:policy>" if policy else ""
    return packet(
        '<rdf:Description rdf:about="" xmlns:tdm="http://www.w3.org/ns/tdmrep/">'
        f"<tdm:reservation>{value}</tdm:reservation>{policy}</rdf:Description>"
    )


def image(kind, xmp, compressed=False):
    picture, out = Image.new("RGB", (8, 8), (40, 90, 160)), io.BytesIO()
    if kind == "PNG":
        info = PngInfo()
        if xmp:
            info.add_itxt("XML:com.adobe.xmp", xmp.decode(), zip=compressed)
        picture.save(out, "PNG", pnginfo=info)
    elif kind == "TIFF":
        picture.save(out, "TIFF", tiffinfo={700: xmp} if xmp else {})
    else:
        picture.save(out, kind, **({"xmp": xmp} if xmp else {}))
    return out.getvalue()


def pdf(xmp):
    writer, out = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(72, 72)
    if xmp:
        writer.xmp_metadata = xmp
    writer.write(out)
    return out.getvalue()


def certificates():
    """A root and a leaf that may sign claims; (chain as PEM, key as PEM)."""
    now, day = datetime.now(UTC), timedelta(days=1)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, n), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")]
        )
        for n in ("Conformance root", "Conformance signer")
    ]
    made = []
    for leaf in (False, True):
        key_use = x509.KeyUsage(leaf, False, False, False, False, not leaf, not leaf, False, False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[leaf])
            .issuer_name(names[0])
            .public_key(keys[leaf].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + 7300 * day)
            .add_extension(x509.BasicConstraints(ca=not leaf, path_length=None), critical=True)
            .add_extension(key_use, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(keys[leaf].public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False)
        )
        if leaf:
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(usage, critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    key = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made[1] + made[0], key


def signed(assertions, chain, key):
    definition = {
        "claim_generator_info": [{"name": "conformance", "version": "1"}],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {
                    "actions": [
                        {
                            "action": "c2pa.created",
                            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
                        }
                    ]
                },
            },
            *({"label": label, "data": data} for label, data in assertions.items()),
        ],
    }
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(alg=b"es256", sign_cert=chain, private_key=key, ta_url=None))
    builder, out = c2pa.Builder(json.dumps(definition)), io.BytesIO()
    builder.sign(signer, "image/png", io.BytesIO(image("PNG", b"")), out)
    return out.getvalue()


def main():
    FILES.mkdir(exist_ok=True)
    for kind, ending in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif")):
        (FILES / f"plain.{ending}").write_bytes(image(kind, b""))
        for code in ("DMI-PROHIBITED", "DMI-PROHIBITED-GENAIMLTRAINING", "DMI-ALLOWED"):
            name = code.removeprefix("DMI-").lower()
            (FILES / f"plus-{name}.{ending}").write_bytes(image(kind, plus(code)))
    (FILES / "plus-prohibited-compressed.png").write_bytes(image("PNG", plus("DMI-PROHIBITED"), compressed=True))
    torn = image("PNG", plus("DMI-ALLOWED"))
    (FILES / "torn.png").write_bytes(torn[: len(torn) // 2])
    (FILES / "tdm-1.pdf").write_bytes(pdf(tdm(1)))
    (FILES / "tdm-1-policy.pdf").write_bytes(pdf(tdm(1, "https://example.com/policy.json")))
    (FILES / "tdm-0.pdf").write_bytes(pdf(tdm(0)))
    (FILES / "tdm-2.pdf").write_bytes(pdf(tdm(2)))
    (FILES / "plain.pdf").write_bytes(pdf(b""))
    (FILES / "torn.pdf").write_bytes(pdf(tdm(0))[:200])
    chain, key = certificates()
    no = {"use": "notAllowed"}
    keys = ("data_mining", "ai_inference", "ai_training", "ai_generative_training")
    cases = {
        "c2pa-plain": {},
        "c2pa-cawg-no": {"cawg.training-mining": {"entries": {f"cawg.{k}": no for k in keys}}},
        "c2pa-cawg-yes": {"cawg.training-mining": {"entries": {f"cawg.{k}": {"use": "allowed"} for k in keys}}},
        "c2pa-cawg-constrained": {
            "cawg.training-mining": {"entries": {"cawg.ai_generative_training": {"use": "constrained"}}}
        },
        "c2pa-earlier-no": {"c2pa.training-mining": {"entries": {f"c2pa.{k}": no for k in keys}}},
    }
    for name, assertions in cases.items():
        (FILES / f"{name}.png").write_bytes(signed(assertions, chain, key))


if __name__ == "__main__":
    main()
