"""Prometheus and promtool out of Debian's package, without installing it: nothing is started, nothing is left."""

import os
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
        download = ["apt-get", "download", "-q", "prometheus"]
        if subprocess.run(download, cwd=FOLDER, capture_output=True).returncode != 0:
            # The lists of packages may be missing or old.
            as_root = [] if os.geteuid() == 0 else ["sudo"]
            subprocess.run([*as_root, "apt-get", "update", "-qq"], check=True, capture_output=True)
            subprocess.run(download, cwd=FOLDER, check=True, capture_output=True)
        package = next(FOLDER.glob("prometheus_*.deb"))
        subprocess.run(["dpkg", "-x", package, FOLDER], check=True)
    return str(path)
