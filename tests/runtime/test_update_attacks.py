"""What others may try with a bundle, a signature, a source or a clock: refused in one line, the old version serves."""

import json
import os
import tarfile
from io import BytesIO

import pytest
from fleets import DAY, NOW, Fleet, Keys, model

from edge_lasso_runtime import archive, dumps, manifest, model_hash, trust
from edge_lasso_runtime.errors import UpdateError

pytestmark = pytest.mark.needs("ssh-keygen")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def fleet(tmp_path, keys):
    fleet = Fleet(tmp_path, keys)
    fleet.bundle(serial=5)
    fleet.update()
    fleet.clear()
    return fleet


def edited(fleet, **changes):
    """A bundle whose manifest was edited as JSON and signed again by Ann: what a careless signer could sign."""
    files = fleet.files()
    data = json.loads(manifest.dumps(fleet.manifest(files)))
    data.update(changes)
    fleet.bundle(files=files, data=json.dumps(data).encode())


def listed(fleet, *entries):
    """A manifest that lists other files."""
    edited(fleet, files=[{"name": name, "size": size, "sha256": "0" * 64} for name, size in entries])


def entry(name, **fields):
    """A tar archive whose third entry is what it should not be, with a good manifest and signature before it."""

    def attack(fleet):
        files = fleet.files()
        packed = fleet.bundle(files=files)
        with tarfile.open(fileobj=BytesIO(packed)) as good:
            first = [(each, good.extractfile(each).read()) for each in good.getmembers()[:2]]
        out = BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as bad:
            for each, data in first:
                bad.addfile(each, BytesIO(data))
            each = tarfile.TarInfo(name)
            for key, value in fields.items():
                setattr(each, key, value)
            bad.addfile(each, BytesIO(files.get(name, bytes(100))[: each.size]))
        data = out.getvalue()
        (fleet.source / "new.elb").write_bytes(packed[: 2 * 512 + _sizes(packed)] + data[2 * 512 + _sizes(packed) :])

    return attack


def _sizes(packed):
    total, at = 0, 0
    for _ in range(2):
        size = int(packed[at + 124 : at + 135], 8)
        size += -size % 512
        at += 512 + size
        total += size
    return total


def changed(at, flip=0x01):
    """One bit of a good bundle flipped; `at` counts from the end when it is negative, or is a part of it."""

    def attack(fleet):
        packed = bytearray(fleet.bundle())
        packed[int(at * len(packed)) if isinstance(at, float) else at] ^= flip
        (fleet.source / "new.elb").write_bytes(packed)

    return attack


def cut(part):
    def attack(fleet):
        packed = fleet.bundle()
        (fleet.source / "new.elb").write_bytes(packed[: int(part * len(packed)) if isinstance(part, float) else part])

    return attack


def fields(**changes):
    return lambda fleet: fleet.bundle(**changes)


def signed_by(*names, **more):
    return lambda fleet: fleet.bundle(by=names, **more)


def other_namespace(fleet):
    files = fleet.files()
    data = manifest.dumps(fleet.manifest(files))
    fleet.bundle(files=files, data=data, signatures=fleet.keys.sign(data, "ann", namespace="git"))


def rotation_as_bundle(fleet):
    files = fleet.files()
    data = manifest.dumps(fleet.manifest(files))
    fleet.bundle(files=files, data=data, signatures=fleet.keys.sign(data, "ann", namespace=trust.SIGNERS))


def signature_of_another(fleet):
    files = fleet.files()
    fleet.bundle(files=files, signatures=fleet.keys.sign(manifest.dumps(fleet.manifest(files, serial=7)), "ann"))


def signatures(text):
    def attack(fleet):
        files = fleet.files()
        data = manifest.dumps(fleet.manifest(files))
        good = fleet.keys.sign(data, "ann")
        fleet.bundle(files=files, data=data, signatures=text(good))

    return attack


def files_swapped(fleet):
    """Mix and match: the signed manifest of one bundle, the model of another."""
    files = fleet.files()
    data = manifest.dumps(fleet.manifest(files))
    fleet.bundle(files={**files, "model.json": dumps(model(3.0)).encode()}, data=data)


def extra_file(fleet):
    files = fleet.files()
    data = manifest.dumps(fleet.manifest(files))
    fleet.bundle(files={**files, "zz.py": b"import os"}, data=data)


def left_out_file(fleet):
    files = fleet.files()
    data = manifest.dumps(fleet.manifest(files))
    fleet.bundle(files={"model.json": files["model.json"]}, data=data)


def appended(fleet):
    (fleet.source / "new.elb").write_bytes(fleet.bundle() + bytes(512))


def zeros(fleet):
    with (fleet.source / "new.elb").open("wb") as file:
        file.truncate(10 * 2**30)


def huge_manifest(fleet):
    data = b" " * (archive.LARGEST_MANIFEST + 1)
    fleet.bundle(data=data, signatures=b"")


def huge_signatures(fleet):
    fleet.bundle(signatures=b"x" * (archive.LARGEST_SIGNATURES + 1))


def garbage(data):
    return lambda fleet: (fleet.source / "new.elb").write_bytes(data)


def device(fleet):
    os.mkfifo(fleet.source / "new.elb")


def folder(fleet):
    (fleet.source / "new.elb").mkdir()


def dangling(fleet):
    (fleet.source / "new.elb").symlink_to("/nowhere/at/all")


def no_model(fleet):
    fleet.bundle(files={"notes.txt": b"x"})


def bad_model(fleet):
    files = {**fleet.files(), "model.json": dumps(model()).encode().replace(b'"intercept": 0.5', b'"intercept": 1e999')}
    fleet.bundle(files=files)


def damaged_trust(fleet):
    fleet.bundle()
    (fleet.home / "trust.json").write_text('{"format": "edge-lasso-trust/1", "fleet": "boilers"')


def lost_trust(fleet):
    fleet.bundle()
    (fleet.home / "trust.json").unlink()


def pattern_trust(fleet):
    fleet.bundle(by=("eve",))
    data = json.loads((fleet.home / "trust.json").read_text())
    data["signers"] = [fleet.keys.line("*", "eve")]
    (fleet.home / "trust.json").write_text(json.dumps(data))


def damaged_state(fleet):
    fleet.bundle()
    (fleet.home / "state.json").write_text('{"format": "edge-lasso-home/1", "serial": -1}')


def foreign_current(fleet):
    fleet.bundle()
    # put back by the test: what is refused here is our own folder being led elsewhere
    os.replace(fleet.home / "current", fleet.home / "kept")
    (fleet.home / "current").symlink_to("/etc")


def rotation(by, namespace=trust.SIGNERS, **changes):
    def attack(fleet):
        data = {"for": "boilers", "version": 2, "threshold": 1, "signers": [fleet.keys.line("cat")], **changes}
        data = {"format": trust.SIGNERS_FORMAT, **data}
        text = json.dumps(data).encode()
        (fleet.source / "signers.2.json").write_bytes(text)
        (fleet.source / "signers.2.json.sig").write_bytes(fleet.keys.sign(text, *by, namespace=namespace))
        fleet.bundle(by=("cat",))

    return attack


def rotation_without_signature(fleet):
    rotation(("ann", "cat"))(fleet)
    (fleet.source / "signers.2.json.sig").unlink()


def rotation_huge(fleet):
    rotation(("ann", "cat"))(fleet)
    (fleet.source / "signers.2.json").write_bytes(b" " * (2 << 20))


ATTACKS = {
    # whose it is
    "no signature": (fields(signatures=b""), "carries no signature"),
    "a stranger signed": (signed_by("eve"), "not among its signers"),
    "an expired key": (signed_by("old"), "the key has expired"),
    "a key not valid yet": (signed_by("soon"), "not valid yet"),
    "another namespace": (other_namespace, "not signed by whom this board believes"),
    "a signature for signers": (rotation_as_bundle, "not signed by whom this board believes"),
    "the signature of another bundle": (signature_of_another, "not signed by whom this board believes"),
    "the signature cut": (signatures(lambda good: good[:-40]), "damaged or cut off"),
    "the signature damaged": (signatures(lambda good: good[:150] + (b"B" if good[150:151] == b"A" else b"A") + good[151:]), "not signed by whom"),
    "the signature in UTF-16": (signatures(lambda good: b"\xff\xfe" + good), "damaged"),
    "text before the signature": (signatures(lambda good: b"hello\n" + good), "damaged or cut off"),
    "text after the signature": (signatures(lambda good: good + b"hello\n"), "damaged or cut off"),
    "17 signatures": (signatures(lambda good: good * 17), "16 are allowed"),
    "nobody is believed any more": (lost_trust, "say whom to believe"),
    "trust damaged": (damaged_trust, "enroll the board again"),
    "trust with a pattern": (pattern_trust, "one plain name"),
    # signers
    "signers replaced by the new alone": (rotation(("cat",)), "signers.2.json is not signed by whom"),
    "signers replaced without the new": (rotation(("ann",)), "by the new signers"),
    "signers replaced by a stranger": (rotation(("eve", "cat")), "signers.2.json is not signed by whom"),
    "signers signed as a bundle": (rotation(("ann", "cat"), trust.BUNDLES), "signers.2.json is not signed"),
    "signers of another fleet": (rotation(("ann", "cat"), **{"for": "pumps"}), "this board is of 'boilers'"),
    "signers that skip a version": (rotation(("ann", "cat"), version=4), "the next is 2"),
    "signers that fall back": (rotation(("ann", "cat"), version=1), "the next is 2"),
    "no signers at all": (rotation(("ann", "cat"), signers=[]), "there are no signers"),
    "a threshold of none": (rotation(("ann", "cat"), threshold=0), "threshold is 0"),
    "a threshold beyond all": (rotation(("ann", "cat"), threshold=2), "threshold is 2"),
    "signers with a key twice over": (rotation(("ann", "cat"), more=1), "more"),
    "signers without a signature": (rotation_without_signature, "carries no signature"),
    "signers of 2 MB": (rotation_huge, "has more than"),
    # when
    "expired": (fields(expires=NOW - DAY, created=NOW - 9 * DAY), "does somebody hold newer ones back?"),
    "expires now": (fields(expires=NOW), "it expired at"),
    "signed in the future": (fields(created=NOW + 3 * DAY), "is the clock right?"),
    "the clock in 1970": (fields(), "set the clock", 0.0),
    "the clock set back a year": (fields(), "set the clock", NOW - 365 * DAY),
    "the clock in 2038": (fields(), "it expired at", 2**31 + 0.0),
    # which
    "an older serial": (fields(serial=4), "serials never fall"),
    "serial 1": (fields(serial=1), "serials never fall"),
    "another bundle with the same serial": (fields(serial=5, coef=3.0), "a new one needs a higher serial"),
    "fast-forward": (fields(serial=2**31 - 1), "it rises by 10000 at most"),
    "serial beyond all": (lambda fleet: edited(fleet, serial=2**31), "serial is 2147483648"),
    "serial 0": (lambda fleet: edited(fleet, serial=0), "serial is 0"),
    "serial true": (lambda fleet: edited(fleet, serial=True), "serial is True"),
    "another fleet's": (fields(fleet="pumps"), "this board is of 'boilers'"),
    "a fleet named ../": (lambda fleet: edited(fleet, **{"for": "../x"}), "for is"),
    # what the board cannot do
    "a newer Python": (fields(python=(9, 0)), "it needs Python 9.0"),
    "a newer updater": (fields(updater=2), "updater 2"),
    "sections of a newer runtime": (fields(sections=["cascade/9"]), "update the runtime first"),
    # the manifest
    "not JSON": (lambda fleet: fleet.bundle(data=b"{"), "manifest.json"),
    "not UTF-8": (lambda fleet: fleet.bundle(data=b"\xff"), "manifest.json"),
    "nested deeply": (lambda fleet: fleet.bundle(data=b"[" * 100_000), "manifest.json"),
    "another format": (lambda fleet: edited(fleet, format="edge-lasso-bundle/2"), "this version reads"),
    "a field more": (lambda fleet: edited(fleet, script="rm -rf /"), "script"),
    "a key twice": (lambda fleet: fleet.bundle(data=b'{"serial": 1, "serial": 9}'), "serial"),
    "an unknown limit": (lambda fleet: edited(fleet, limits={"speed": 1}), "the limits are"),
    "a limit that is no number": (lambda fleet: edited(fleet, limits={"error": "1"}), "limits.error"),
    "a date without a zone": (lambda fleet: edited(fleet, expires="2027-01-01T00:00:00"), "expires is"),
    "the 31st of June": (lambda fleet: edited(fleet, expires="2027-06-31T00:00:00Z"), "expires is"),
    # names
    "../ in a name": (lambda fleet: listed(fleet, ("../../etc/passwd", 1), ("model.json", 1)), "not a plain relative path"),
    "an absolute name": (lambda fleet: listed(fleet, ("/etc/passwd", 1), ("model.json", 1)), "not a plain relative path"),
    "a name with a newline": (lambda fleet: listed(fleet, ("a\nb", 1), ("model.json", 1)), "not a plain relative path"),
    "a drive": (lambda fleet: listed(fleet, ("C:x", 1), ("model.json", 1)), "not a plain relative path"),
    "a backslash": (lambda fleet: listed(fleet, ("..\\x", 1), ("model.json", 1)), "not a plain relative path"),
    "a dot folder": (lambda fleet: listed(fleet, ("./x", 1), ("model.json", 1)), "not a plain relative path"),
    "a cache of bytecode": (lambda fleet: listed(fleet, ("__pycache__/x.pyc", 1), ("model.json", 1)), "not a plain"),
    "a name too long": (lambda fleet: listed(fleet, ("a" * 101, 1), ("model.json", 1)), "not a plain relative path"),
    "the manifest itself": (lambda fleet: listed(fleet, ("manifest.json", 1), ("model.json", 1)), "not a plain relative"),
    "a file twice": (lambda fleet: listed(fleet, ("model.json", 1), ("model.json", 1)), "has a name twice"),
    "a file twice by case": (lambda fleet: listed(fleet, ("MODEL.json", 1), ("model.json", 1)), "has a name twice"),
    "a file inside a file": (lambda fleet: listed(fleet, ("model.json", 1), ("model.json/x", 1)), "inside of what is a file"),
    "names out of order": (lambda fleet: listed(fleet, ("model.json", 1), ("a", 1)), "not in the order"),
    "1001 files": (lambda fleet: listed(fleet, *((f"f{i:04}", 0) for i in range(1001))), "1 to 1000 are allowed"),
    "no files": (lambda fleet: edited(fleet, files=[]), "files has 0 entries"),
    "a file of 10 GB": (lambda fleet: listed(fleet, ("model.json", 10 * 2**30)), "files[0].size"),
    "300 MB in all": (lambda fleet: listed(fleet, *((f"m{i}", 60 * 2**20) for i in range(5)), ("model.json", 1)), "more than 256 MB"),
    "a negative size": (lambda fleet: listed(fleet, ("model.json", -1)), "files[0].size"),
    "no model": (no_model, "no model.json"),
    # the archive
    "mix and match": (files_swapped, "its hash is not the manifest's"),
    "a file more": (extra_file, "more in it than its manifest names"),
    "a file less": (left_out_file, "something else where notes/about.txt belongs"),
    "something appended": (appended, "more in it than its manifest names"),
    "a symbolic link": (entry("model.json", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "something else where"),
    "a hard link": (entry("model.json", type=tarfile.LNKTYPE, linkname="manifest.json"), "something else where"),
    "a device": (entry("model.json", type=tarfile.CHRTYPE, devmajor=1, devminor=5), "something else where"),
    "a pipe": (entry("model.json", type=tarfile.FIFOTYPE), "something else where"),
    "a folder for a file": (entry("model.json", type=tarfile.DIRTYPE), "something else where"),
    "setuid": (entry("model.json", mode=0o4755, size=100), "something else where"),
    "an owner": (entry("model.json", uid=1000, size=100), "something else where"),
    "a sparse file": (entry("model.json", type=tarfile.GNUTYPE_SPARSE, size=100), "something else where"),
    "a longer name to come": (entry("././@LongLink", type=tarfile.GNUTYPE_LONGNAME, size=100), "something else where"),
    "another name": (entry("../model.json", size=100), "something else where"),
    "cut at a half": (cut(0.5), "cut off"),
    "cut at nine tenths": (cut(0.9), "cut off"),
    "cut before its end": (cut(-1), "cut off"),
    "cut to nothing": (cut(0), "cut off"),
    "a bit of the manifest": (changed(700), "not signed by whom"),
    "a bit of its header": (changed(130), "this is not a bundle"),
    "a bit of the end": (changed(-1), "more in it than"),
    "a bit of a file": (changed(-2000), "damaged"),
    "a bit of padding": (changed(-1030), "something after"),
    "10 GB of zeros": (zeros, "this is not a bundle"),
    "random text": (garbage(b"hello world " * 1000), "this is not a bundle"),
    "a zip": (garbage(b"PK\x03\x04" + bytes(2000)), "this is not a bundle"),
    "a size in base 256": (garbage(b"manifest.json".ljust(124, b"\0") + b"\x80" + bytes(2000)), "this is not a bundle"),
    "a manifest of more than 1 MB": (huge_manifest, "are allowed"),
    "signatures of more than 64 KB": (huge_signatures, "are allowed"),
    # the source and the board's folder
    "a pipe for a bundle": (device, "is not a file"),
    "a folder for a bundle": (folder, "is not a file"),
    "a link to nowhere": (dangling, "it is not there"),
    "an empty source": (lambda fleet: None, "has no bundle"),
    "a model that is none": (bad_model, "the self-test failed"),
    "a state that is damaged": (damaged_state, "state.json is damaged"),
    "current leads elsewhere": (foreign_current, "not a link to one of our versions"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused_in_one_line_and_the_old_version_serves(fleet, name):
    attack, message, *clock = ATTACKS[name]
    before = fleet.serves()
    attack(fleet)
    with pytest.raises(UpdateError) as refused:
        fleet.update(now=clock[0] if clock else NOW)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    if (fleet.home / "kept").is_symlink():
        os.replace(fleet.home / "kept", fleet.home / "current")
    assert fleet.serves() == before
    assert [path.name for path in (fleet.home / "versions").iterdir()] == [before], "nothing is left behind"


def test_the_table_is_large_enough():
    assert len(ATTACKS) >= 60


def test_what_was_refused_does_not_keep_the_next_good_one_out(fleet):
    fleet.bundle("a.elb", serial=6)
    fleet.bundle("b.elb", serial=8, by=("eve",))
    (fleet.source / "c.elb").write_bytes(b"no bundle")
    outcome = fleet.update()
    assert outcome.changed
    assert outcome.version.startswith("6-")
    assert [note.partition(":")[0] for note in outcome.notes] == ["b.elb"]


def test_two_signatures_are_two_people(tmp_path, keys):
    fleet = Fleet(tmp_path, keys, 2, [keys.line("ann"), keys.line("bob"), keys.line("cat", "ann")])
    for by, message in (
        (("ann",), "ann signed it, 2 signers are needed"),
        (("ann", "ann"), "2 signers are needed"),
        (("ann", "eve"), "2 signers are needed"),
    ):
        fleet.bundle(by=by)
        with pytest.raises(UpdateError, match=message):
            fleet.update()
    fleet.bundle(by=("bob", "ann"))
    assert fleet.update().changed


def test_signers_are_replaced_by_what_old_and_new_have_signed(fleet):
    rotation(("ann", "cat"), serial=100)(fleet)
    fleet.bundle(by=("cat",), serial=101)
    assert fleet.update().version.startswith("101-")
    fleet.clear()
    fleet.bundle(by=("ann",), serial=102)
    with pytest.raises(UpdateError, match="not among its signers"):
        fleet.update()
    assert json.loads((fleet.home / "trust.json").read_text())["version"] == 2


def test_a_board_without_ssh_keygen_says_so(fleet, monkeypatch, tmp_path):
    fleet.bundle()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UpdateError, match="no ssh-keygen here, so nothing can be verified"):
        fleet.update()


def test_model_hashes_are_hexadecimal(fleet):
    assert len(model_hash(model())) == 64
    edited(fleet, model_hash="g" * 64)
    with pytest.raises(UpdateError, match="64 hexadecimal digits"):
        fleet.update()
