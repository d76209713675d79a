"""A fleet for tests: keys, a board that believes Ann and Bob, and bundles good and bad."""

import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

from edge_lasso_runtime import Factor, Input, Model, Output, Term, archive, dumps, manifest, model_hash, trust
from edge_lasso_runtime.board import enroll
from edge_lasso_runtime.trial import Trial
from edge_lasso_runtime.update import update

NOW = 1_795_824_000.0  # 2026-11-28
DAY = 86400.0
QUIET = Trial()


def model(coef=2.0, default=0.0):
    inputs = (Input("a", 0, default, -1.0, 1.0), Input("b", 1, default, -1.0, 1.0))
    terms = (Term(coef, (Factor(0),)), Term(-1.0, (Factor(1),)))
    return Model(("a", "b"), inputs, (Output("y", 0.5, terms),))


class Keys:
    """Key pairs by name, and how each is trusted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("ann", "bob", "eve", "old", "soon", "cat"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)], check=True
            )

    def line(self, name, key=None, options=""):
        public = " ".join((self.folder / f"{key or name}.pub").read_text().split()[:2])
        return " ".join(filter(None, [name, options, public]))

    def sign(self, data, *names, namespace=trust.BUNDLES):
        parts = []
        for name in names:
            command = ["ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", str(self.folder / name)]
            parts.append(subprocess.run(command, input=data, capture_output=True, check=True).stdout)
        return b"".join(parts)


class Fleet:
    """A board at serial 5 and a folder from which it updates."""

    def __init__(self, folder: Path, keys: Keys, threshold=1, signers=None) -> None:
        self.keys = keys
        self.home = folder / "home"
        self.source = folder / "source"
        self.source.mkdir()
        lines = signers or [
            keys.line("ann"),
            keys.line("bob"),
            keys.line("old", options='valid-before="20261001"'),
            keys.line("soon", options='valid-after="20280101"'),
        ]
        enroll(str(self.home), trust.Trust("boilers", "gw-1", 1, threshold, lines))

    def manifest(self, files, **changes):
        listed = [(name, len(data), sha256(data).hexdigest()) for name, data in sorted(files.items())]
        fields = {
            "fleet": "boilers", "serial": 6, "created": NOW - DAY, "expires": NOW + 90 * DAY, "rollout": 10_000,
            "model_hash": model_hash(model()), "python": (3, 9), "updater": 1, "sections": [], "limits": {}, "files": listed,
        }  # fmt: skip
        return manifest.Manifest(**{**fields, **changes})

    def bundle(self, name="new.elb", files=None, by=("ann",), data=None, signatures=None, coef=2.0, **changes):
        """Write a bundle; `data` and `signatures` replace what would be right."""
        files = self.files(coef) if files is None else files
        if data is None:
            changes.setdefault("model_hash", model_hash(model(coef)))
            data = manifest.dumps(self.manifest(files, **changes))
        packed = archive.pack(data, self.keys.sign(data, *by) if signatures is None else signatures, files)
        (self.source / name).write_bytes(packed)
        return packed

    def files(self, coef=2.0):
        return {"model.json": dumps(model(coef)).encode(), "notes/about.txt": b"a note\n" * 100}

    def update(self, source=None, now=NOW, trial=QUIET, **options):
        return update(str(self.home), str(source or self.source), now, trial, **options)

    def clear(self):
        shutil.rmtree(self.source)
        self.source.mkdir()

    @property
    def current(self):
        return (self.home / "current").resolve().name

    def serves(self):
        """The one version in use, every file of it as it was signed."""
        from edge_lasso_runtime.versions import check, current

        version = current(str(self.home))
        check(str(self.home), version)
        return version
