"""C2PA manifests, signed here by certificates of our own."""

from __future__ import annotations

import datetime
import io
import json
import platform
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from convtrace.image.provenance import provenance_of
from convtrace.image.provenance.credentials import TRUST_VARIABLE, credentials

c2pa = pytest.importorskip("c2pa", reason="pip install '.[c2pa-test]'")
x509 = pytest.importorskip("cryptography.x509", reason="pip install '.[c2pa-test]'")

MEDIA = {
    "JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "TIFF": "image/tiff",
    "GIF": "image/gif", "AVIF": "image/avif", "HEIF": "image/heif",
}  # fmt: skip
MANIFEST = {
    "claim_generator_info": [{"name": "Test Generator", "version": "1.0"}],
    "assertions": [
        {
            "label": "c2pa.actions",
            "data": {
                "actions": [
                    {
                        "action": "c2pa.created",
                        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/"
                        "trainedAlgorithmicMedia",
                        "softwareAgent": {"name": "Some Model"},
                    }
                ]
            },
        }
    ],
}


@pytest.fixture(scope="module")
def authority() -> tuple[bytes, bytes, bytes]:
    """Return a signer's chain and key, and the root, as PEM."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.datetime.now(datetime.UTC)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def name(common: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test Press"),
                x509.NameAttribute(NameOID.COMMON_NAME, common),
            ]
        )

    def certificate(common, public, is_root):
        usage = dict.fromkeys(
            (
                "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                "encipher_only", "decipher_only",
            ),
            False,
        )  # fmt: skip
        usage |= {
            "digital_signature": not is_root, "key_cert_sign": is_root, "crl_sign": is_root,
        }  # fmt: skip
        made = (
            x509.CertificateBuilder()
            .subject_name(name(common))
            .issuer_name(name("root"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(is_root, None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        if not is_root:
            root = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
            purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            made = made.add_extension(root, critical=False).add_extension(purposes, critical=False)
        signed = made.sign(root_key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    root = certificate("root", root_key.public_key(), True)
    chain = certificate("signer", key.public_key(), False) + root
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return chain, private, root


@pytest.fixture(scope="module")
def signed(authority) -> dict[str, bytes]:
    chain, key, _ = authority
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    found = {}
    for kind, media in MEDIA.items():
        plain, out = io.BytesIO(), io.BytesIO()
        image = Image.fromarray(pixels)
        if kind == "HEIF":
            pillow_heif.from_pillow(image).save(plain)
        else:
            image.save(plain, kind)
        plain.seek(0)
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", chain, key, None))
        with c2pa.Builder(json.dumps(MANIFEST)) as builder:
            builder.sign(signer, media, plain, out)
        found[kind] = out.getvalue()
    return found


@pytest.fixture
def trust(authority, tmp_path, monkeypatch):
    file = tmp_path / "roots.pem"
    file.write_bytes(authority[2])
    monkeypatch.setenv(TRUST_VARIABLE, str(file))


@pytest.mark.usefixtures("trust")
@pytest.mark.parametrize("kind", MEDIA)
def test_valid_where_the_signer_is_trusted(signed, kind):
    found = provenance_of(signed[kind], kind)
    told = found.credentials
    assert told is not None
    assert (told.status, told.reason) == ("valid", "")
    assert told.generator == "Test Generator 1.0"
    assert told.signer == "Test Press"
    assert told.actions == ("c2pa.created (Some Model, trainedAlgorithmicMedia)",)
    assert [one.name for one in found.of_kind("generator")] == ["DigitalSourceType"]
    assert found.summary[0] == "Its content credentials of Test Generator 1.0 are valid."
    assert found.to_dict()["credentials"]["status"] == "valid"


@pytest.mark.parametrize("kind", MEDIA)
def test_unknown_signer_where_no_list_has_it(signed, kind, monkeypatch):
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)
    found = provenance_of(signed[kind], kind)
    assert found.credentials.status == "unknown signer"
    assert TRUST_VARIABLE in found.credentials.reason


@pytest.mark.usefixtures("trust")
@pytest.mark.parametrize("kind", MEDIA)
def test_invalid_where_the_file_was_changed(signed, kind):
    data = bytearray(signed[kind])
    data[-30] ^= 1
    told = provenance_of(bytes(data), kind).credentials
    assert told.status == "invalid"
    assert told.reason


def test_not_checked_where_the_extra_is_missing(signed, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    for kind, data in signed.items():
        found = provenance_of(data, kind)
        assert found.credentials.status == "not checked"
        assert "pip install 'convtrace[c2pa]'" in found.credentials.reason
        assert "not checked" in found.summary[0]


def test_a_bad_list_of_signers_is_told_and_condemns_nobody(signed, monkeypatch, tmp_path):
    for content in (None, "not a certificate"):
        file = tmp_path / f"{content}.pem"
        if content is not None:
            file.write_text(content)
        monkeypatch.setenv(TRUST_VARIABLE, str(file))
        told = provenance_of(signed["PNG"], "PNG").credentials
        assert told.status in ("not checked", "unknown signer")
        assert TRUST_VARIABLE in told.reason


@pytest.mark.usefixtures("trust")
def test_many_threads_agree(signed):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: provenance_of(signed["JPEG"], "JPEG"), range(64)))
    assert {one.credentials.status for one in found} == {"valid"}


def test_cut_or_changed_anywhere_it_never_raises(signed):
    rng = np.random.default_rng(0)
    for kind in ("JPEG", "PNG"):
        for _ in range(60):
            data = bytearray(signed[kind])
            for place in rng.integers(0, min(len(data), 16_000), 3):
                data[place] ^= int(rng.integers(1, 256))
            found = provenance_of(bytes(data[: rng.integers(1, len(data))]), kind)
            assert found.credentials is None or found.credentials.status != "valid"


# ------------------------------------------------------------------ nothing is fetched

_FORBID_SOCKETS = """
import ctypes, platform, struct
numbers = {"x86_64": 41, "aarch64": 198}
load, equals, give = 0x20, 0x15, 0x06
kill, allow = 0x80000000, 0x7FFF0000
steps = [
    (load, 0, 0, 0),
    (equals, 0, 1, numbers[platform.machine()]),
    (give, 0, 0, kill),
    (give, 0, 0, allow),
]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
program = Program(len(steps), ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
assert libc.prctl(38, 1, 0, 0, 0) == 0  # no new privileges
assert libc.prctl(22, 2, ctypes.addressof(program), 0, 0) == 0  # the filter
"""
"""The kernel ends a process that asks for a socket after this, from whatever language it asks."""


def _without_sockets(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="the guard is a filter of Linux",
)
def test_reading_a_manifest_opens_no_socket(signed, remote, authority, tmp_path):
    control = _without_sockets(_FORBID_SOCKETS + "import socket; socket.socket()")
    assert control.returncode == -signal.SIGSYS, "the guard does not work here"
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority[2])
    for data, kind in ((signed["JPEG"], "JPEG"), (signed["PNG"], "PNG"), (remote[0], "JPEG")):
        file = tmp_path / "picture"
        file.write_bytes(data)
        read = (
            f"{_FORBID_SOCKETS}\nimport os; os.environ[{TRUST_VARIABLE!r}] = {str(roots)!r}\n"
            "from convtrace.image.provenance import provenance_of\n"
            f"found = provenance_of(open({str(file)!r}, 'rb').read(), {kind!r}).credentials\n"
            "print(found and found.status)"
        )
        done = _without_sockets(read)
        assert (done.returncode, done.stdout.strip()) == (0, "valid"), done.stderr


@pytest.fixture
def remote(authority) -> Iterator[tuple[bytes, list[str], str]]:
    """Return a picture that names a manifest elsewhere, who asked there, and the address."""
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/manifest.c2pa"
    chain, key, _ = authority
    plain, out = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(plain, "JPEG")
    plain.seek(0)
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", chain, key, None))
    with c2pa.Builder(json.dumps(MANIFEST)) as builder:
        builder.set_remote_url(address)
        builder.sign(signer, "image/jpeg", plain, out)
    yield out.getvalue(), asked, address
    server.shutdown()
    server.server_close()


def _without_its_manifest(data: bytes) -> bytes:
    """Take the segments of the embedded manifest away; what is left names the remote one."""
    at, kept = 2, [data[:2]]
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] != 0xEB:
            kept.append(data[at:end])
        at = end
    return b"".join(kept) + data[at:]


def test_remote_manifests_are_not_fetched(remote):
    data, asked, address = remote
    bare = _without_its_manifest(data)
    # Reading it as the library does by default asks there, so the server would know.
    with pytest.raises(c2pa.C2paError):
        c2pa.Reader("image/jpeg", io.BytesIO(bare))
    assert asked
    asked.clear()
    told, _ = credentials(bare, "JPEG")
    assert told.status != "valid"
    found = provenance_of(bare, "JPEG")
    assert address in [one.value for one in found.statements]
    assert provenance_of(data, "JPEG").credentials.status == "unknown signer"
    assert not asked
