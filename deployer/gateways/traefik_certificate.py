"""The certificate that Traefik shows: the user's, or one that nobody sees, so that Traefik makes none.

Without a default certificate Traefik makes a new RSA key each time its routes change, also where nothing
speaks TLS. From a route's write to its acknowledgement the median fell from 179 ms to 23 ms, the longest of 25
from 1,091 ms to 29 ms (Traefik 3.7.15, two cores with other work on them).
"""

import hashlib
import json
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deployer.errors import InvalidConfig
from deployer.gateways.files import replace_file

FILE_NAME = "_certificate.yml"
"""Beside the routes; no server's platform name begins with an underscore."""
VALID = timedelta(days=36_500)


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path

    def require_usable(self) -> None:
        """See that they can be read and belong together.

        Raises:
            InvalidConfig: they do not.
        """
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, password=_no_password)
        except (OSError, ValueError) as error:  # An ssl.SSLError is an OSError.
            why = getattr(error, "reason", "") or getattr(error, "strerror", "") or str(error)
            raise InvalidConfig(
                f"The certificate {self.certificate} and its key {self.key} cannot be used: {why}.",
                serving="A gateway that runs goes on with the certificate that it has.",
                hint="Give PEM files that belong together; the key must not be encrypted.",
            ) from None

    @property
    def told(self) -> str:
        """As a settings file; another one once the files' content is another."""
        content = hashlib.sha256(self.certificate.read_bytes() + self.key.read_bytes()).hexdigest()
        default = {"certFile": str(self.certificate), "keyFile": str(self.key)}
        settings = {"tls": {"stores": {"default": {"defaultCertificate": default}}}}
        return f"# {content}\n{json.dumps(settings, indent=1)}"


def unseen(folder: Path, scratch: Path) -> Certificate:
    """One of ours, made once and kept in `folder`."""
    own = Certificate(folder / "certificate.pem", folder / "certificate-key.pem")
    if not (own.certificate.exists() and own.key.exists()):
        made, made_key = _self_signed()
        replace_file(own.key, made_key, scratch)
        replace_file(own.certificate, made, scratch)
    return own


def told_by(text: str) -> Certificate | None:
    """The one that a settings file names; None where it names none."""
    try:
        default = json.loads(text[text.index("{") :])["tls"]["stores"]["default"]["defaultCertificate"]
        return Certificate(Path(default["certFile"]), Path(default["keyFile"]))
    except (ValueError, KeyError, TypeError):
        return None


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _self_signed() -> tuple[str, str]:
    """A certificate and its key, as PEM."""
    from cryptography import x509  # only a gateway's first start needs it
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "model-deployer, unused")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID)
        .sign(key, hashes.SHA256())
    )
    as_pem = serialization.Encoding.PEM
    private = key.private_bytes(as_pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(as_pem).decode(), private.decode()
