"""Sets known by name: found in the user's data folder, in the cache, or downloaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zerosum.data.places import FOLDER_VARIABLE, data_folder
from zerosum.errors import UserError
from zerosum.modalities.images.arrays import ArrayPictures
from zerosum.modalities.images.classic import read_cifar, read_idx
from zerosum.modalities.images.gallery import Gallery

_DIGITS = tuple(str(digit) for digit in range(10))
_CLOTHES = ("t-shirt", "trouser", "pullover", "dress", "coat")
_CLOTHES += ("sandal", "shirt", "sneaker", "bag", "ankle boot")
_CIFAR = ("airplane", "automobile", "bird", "cat", "deer")
_CIFAR += ("dog", "frog", "horse", "ship", "truck")

_IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class NamedSet:
    """Where a named set may lie and where it comes from.

    Attributes:
        classes: Class names in the order of the labels.
        folders: Where its files may lie below the data folder.
        files: File name to md5 of the original release, as downloaded.
        urls: Folders on the network, tried in turn.
    """

    classes: tuple[str, ...]
    folders: tuple[str, ...]
    files: dict[str, str]
    urls: tuple[str, ...]


def _idx_set(classes: tuple[str, ...], folder: str, md5: str, urls: tuple[str, ...]) -> NamedSet:
    files = {f"{name}.gz": known for name, known in zip(_IDX_FILES, md5.split())}
    return NamedSet(classes, (folder, f"{folder}/raw"), files, urls)


NAMED = {
    "mnist": _idx_set(
        _DIGITS,
        "MNIST",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873 d53e105ee54ea40749a09fcbcd1e9432 "
        "9fb629c4189551a2d022fa330f9573f3 ec29112dd5afa0611ce80d1b7f02629c",
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
    "fashion-mnist": _idx_set(
        _CLOTHES,
        "FashionMNIST",
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d 25c81989df183df01b3e8a0aad5dffbe "
        "bef4ecab320f06d8554ea6380940ec79 bb300cfdad3c16e7a12a480ee83cd310",
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    ),
    "cifar10": NamedSet(
        _CIFAR,
        (".", "cifar-10-batches-py"),
        {"cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a"},
        ("https://www.cs.toronto.edu/~kriz/",),
    ),
}

NAMES = ("digits", *NAMED)


def open_named(name: str, fallback: Callable[[Path], Gallery]) -> Gallery:
    """Open a set by name.

    Args:
        name: One of `NAMES`.
        fallback: Opens a folder of pictures; used for a CIFAR-10 that was unpacked to images.

    Raises:
        UserError: The files are neither here nor can be downloaded, or are damaged.
    """
    if name == "digits":
        return _digits()
    known = NAMED[name]
    root = data_folder()
    folders = []
    if root is not None:
        below = (name, *(f"{name}/{folder}" for folder in known.folders), *known.folders)
        folders = [root / folder for folder in below]
    for folder in [*folders, cache() / name]:
        found = _read(name, folder)
        if found is not None:
            return found
    # A folder under the set's own name that holds something else: pictures or an archive.
    if root is not None and (root / name).is_dir() and name == "cifar10":
        return fallback(root / name)
    download(name)
    found = _read(name, cache() / name)
    if found is None:
        raise UserError(f"{name} was downloaded to {cache() / name} but is not there: try again")
    return found


def cache() -> Path:
    """Where downloads are kept."""
    import pooch

    return Path(pooch.os_cache("zerosum"))


def download(name: str) -> None:
    """Fetch the files of a named set into the cache, checked against their md5.

    Raises:
        UserError: No source answers; the message says which files to place where.
    """
    import pooch

    known = NAMED[name]
    for file, md5 in known.files.items():
        for url in known.urls:
            try:
                pooch.retrieve(
                    url + file,
                    known_hash=f"md5:{md5}",
                    fname=file,
                    path=cache() / name,
                )
                break
            except (OSError, ValueError):  # no network (requests raises OSErrors), wrong md5
                continue
        else:
            root = data_folder()
            where = root / name if root is not None else f"${FOLDER_VARIABLE}/{name}"
            hint = "" if root is not None else f" ({FOLDER_VARIABLE} is not set)"
            raise UserError(
                f"{name} is not here and could not be downloaded: "
                f"place {', '.join(known.files)} in {where}{hint}"
            )


def _read(name: str, folder: Path) -> Gallery | None:
    """The set from a folder that holds its original files; None when it does not."""
    if name == "cifar10":
        return _cifar(folder)
    paths = [_either(folder, file) for file in _IDX_FILES]
    present = [path for path in paths if path is not None]
    if len(present) < len(paths):
        if present:
            lacking = [file for file, path in zip(_IDX_FILES, paths) if path is None]
            raise UserError(f"{folder} lacks {', '.join(f'{file}.gz' for file in lacking)}")
        return None
    train, train_labels, test, test_labels = (read_idx(path) for path in present)
    pixels = np.concatenate([train, test])
    labels = np.concatenate([train_labels, test_labels]).astype(np.int64)
    return _official(name, pixels, labels, len(train))


def _either(folder: Path, file: str) -> Path | None:
    return next((p for p in (folder / f"{file}.gz", folder / file) if p.is_file()), None)


def _cifar(folder: Path) -> Gallery | None:
    for path in (folder, folder / "cifar-10-batches-py"):
        if (path / "data_batch_1").is_file():
            return _official("cifar10", *read_cifar(path))
    packed = folder / "cifar-10-python.tar.gz"
    return _official("cifar10", *read_cifar(packed)) if packed.is_file() else None


def _official(name: str, pixels: np.ndarray, labels: np.ndarray, train: int) -> Gallery:
    classes = NAMED[name].classes
    if len(labels) != len(pixels) or labels.max(initial=0) >= len(classes):
        raise UserError(f"{name}: {len(pixels)} pictures do not fit their labels; get it anew")
    return Gallery(
        name,
        ArrayPictures(pixels, name=name),
        range(train),
        labels,
        classes,
        range(train, len(pixels)),
        f"the official test part ({len(pixels) - train:,})",
    )


def _digits() -> Gallery:
    """The 1,797 8x8 digits that come with scikit-learn, 0..16 scaled to 0..255."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    scaled = np.rint(np.asarray(pixels) * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    pictures = ArrayPictures(scaled, name="digits")
    return Gallery(
        "digits", pictures, range(len(scaled)), np.asarray(labels, dtype=np.int64), _DIGITS
    )
