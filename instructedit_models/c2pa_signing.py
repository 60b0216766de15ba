"""C2PA manifests with the operator's key, through `c2pa-python`; `imaging.save_image` signs with it, `inspect` reads.

Without a key nothing is signed and the package is not needed.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instructedit_models.errors import BadParameterError, ModelUnavailableError
from instructedit_models.provenance import SOURCE_TYPE, Provenance

__all__ = ["ALGORITHMS", "C2paSigner", "manifest_of", "read_manifest"]

ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")
MIME_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
_LABEL = "org.instructedit.provenance"


@dataclass(frozen=True)
class C2paSigner:
    """The operator's certificate and key.

    Attributes:
        certificate: PEM file of the certificate chain, the signer's first.
        key: PEM file of its private key.
        algorithm: one of `ALGORITHMS`.
        timestamp_url: a time-stamp authority, or None.
    """

    certificate: Path
    key: Path
    algorithm: str = "es256"
    timestamp_url: str | None = None

    def sign(self, data: bytes, form: str, record: Provenance) -> bytes:
        """A picture file's bytes with a signed manifest; formats that C2PA does not know come back as they are.

        Args:
            data: the file.
            form: its format, as PIL names it.
            record: what the manifest says.

        Raises:
            ModelUnavailableError: c2pa-python is not installed, or cannot sign with this certificate.
            BadParameterError: the certificate or the key cannot be read.
        """
        if form not in MIME_TYPES:
            return data
        c2pa = _package()
        certificate, key = _pem(self.certificate, "certificate"), _pem(self.key, "key")
        try:
            authority = self.timestamp_url.encode() if self.timestamp_url else None
            info = c2pa.C2paSignerInfo(self.algorithm, certificate, key, authority)
            signed = io.BytesIO()
            # Thumbnails would add more bytes than many a picture has.
            plain = c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": False}}})
            manifest = manifest_of(record, form)
            with c2pa.Signer.from_info(info) as signer, c2pa.Builder(manifest, plain) as builder:
                # The picture that goes in becomes the parent, with an "opened" action of its own.
                builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
                builder.sign(signer, MIME_TYPES[form], io.BytesIO(data), signed)
        except Exception as error:  # the native library's errors have no common base that is documented
            reason = " ".join(str(error).split())[:300]
            raise ModelUnavailableError(
                f"The picture could not be signed with {self.certificate}: {reason}; "
                "mend INSTRUCTEDIT_C2PA_CERTIFICATE and INSTRUCTEDIT_C2PA_KEY, or unset them."
            ) from error
        return signed.getvalue()


def manifest_of(record: Provenance, form: str) -> str:
    """The manifest's definition: one "edited" action, and the whole record as an assertion of our own."""
    parameters = {"region": dict(record.region)} if record.region else {}
    action = {
        "action": "c2pa.edited",
        "digitalSourceType": SOURCE_TYPE,
        "softwareAgent": {"name": record.software, "version": record.version},
        "description": record.instruction or "an edit of part of the picture",
        "parameters": parameters,
    }
    definition = {
        "claim_generator_info": [{"name": record.software, "version": record.version}],
        "format": MIME_TYPES[form],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [action]}},
            {"label": _LABEL, "data": record.to_json()},
        ],
    }
    return json.dumps(definition)


def read_manifest(path: Path) -> dict[str, Any] | None:
    """A file's manifest store as data with "validation_state", or None where it holds none or c2pa is not installed."""
    try:
        c2pa = _package()
        with c2pa.Reader(str(path)) as reader:
            data = json.loads(reader.json())
    except ModelUnavailableError:
        return None
    except Exception:  # no manifest, or one that cannot be read; the native errors are not told apart
        return None
    return data if isinstance(data, dict) else None


def _package() -> Any:
    try:
        import c2pa
    except ImportError as error:
        raise ModelUnavailableError(
            "Pictures cannot be signed: c2pa-python is not installed; `pip install 'instructedit[c2pa]'` brings it."
        ) from error
    return c2pa


def _pem(file: Path, what: str) -> bytes:
    try:
        text = Path(file).read_bytes()
    except OSError as error:
        raise BadParameterError(f"The C2PA {what} {file} cannot be read: {error.strerror or error}.") from error
    if b"-----BEGIN" not in text:
        raise BadParameterError(f"The C2PA {what} {file} is no PEM file.")
    return text
