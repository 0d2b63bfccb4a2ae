"""What a server may know of the machine: named here one by one, so that no secret of the deployer's reaches it."""

from collections.abc import Mapping

HARMLESS = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"}
    | {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    | {"CUDA_HOME", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"}
)
HARMLESS_PREFIXES = ("LC_", "OMP_", "OPENBLAS_", "MKL_", "NUMEXPR_", "VECLIB_")


def harmless(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that tell of the machine alone."""
    return {
        name: value for name, value in environment.items() if name in HARMLESS or name.startswith(HARMLESS_PREFIXES)
    }
