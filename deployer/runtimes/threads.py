"""How many threads the libraries of a server may start."""

import math

from deployer.config import Resources

THREAD_COUNTS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS"),
    *("NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)


def thread_counts(resources: Resources | None) -> dict[str, str]:
    """Those that fit; libraries would start a thread for each core of the machine."""
    if resources is None or resources.cpu is None:
        return {}
    return dict.fromkeys(THREAD_COUNTS, str(math.ceil(resources.cpu)))
