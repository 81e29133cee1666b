"""Prometheus and promtool out of Debian's package, without installing it: nothing is started, nothing is left."""

import pathlib
import shutil
import subprocess

FOLDER = pathlib.Path(__file__).resolve().parents[2] / ".build" / "prometheus"


def program(name):
    """The path of `prometheus` or `promtool`."""
    installed = shutil.which(name)
    if installed:
        return installed
    path = FOLDER / "usr" / "bin" / name
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", "prometheus"], cwd=FOLDER, check=True, capture_output=True)
        package = next(FOLDER.glob("prometheus_*.deb"))
        subprocess.run(["dpkg", "-x", package, FOLDER], check=True)
    return str(path)
