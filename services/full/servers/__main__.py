"""`python -m services.full.servers`: what the full mode and the tests need and this machine does not have.

Prints the names of Debian's packages, and on standard error what a person can type. Code 0 when nothing is missing.
"""

import os
import sys
from collections.abc import Mapping

from services.full.servers import PRODUCTS
from services.full.servers.binaries import NotInstalled


def main(environment: Mapping[str, str]) -> int:
    """Look for each product that is not given by address."""
    code = 0
    for product in PRODUCTS:
        if all(environment.get(url) for url in product.urls):
            continue
        try:
            product.require()
        except NotInstalled as missing:
            code = 1
            print(product.apt)
            print(missing, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(os.environ))
