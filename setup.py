"""The packages of the wheel: those of fer_cbam, with the files of web/ in one of them.

Everything else is said in pyproject.toml, which cannot give a package another folder and find the
others at once.
"""

from setuptools import find_namespace_packages, setup

WEB = "fer_cbam.device.web"

setup(packages=[*find_namespace_packages(include=["fer_cbam*"]), WEB], package_dir={WEB: "web"})
